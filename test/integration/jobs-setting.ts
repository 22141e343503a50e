import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  JOB_DONE_WATCHERS,
  JOBS,
  WEBHOOK_DELIVERIES,
  WEBHOOKS,
  type JobDoneWatcher,
  type Webhook,
  type WebhookDelivery,
} from '../../src/jobs/index.ts';
import { createKubeClient, type FullKubeClient, type KubeObject } from '../../src/kube/index.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { untilEstablished } from '../cluster/until-established.ts';
import { findFreePort } from '../cluster/free-port.ts';
import { waitFor } from '../cluster/wait-for.ts';

export const NAMESPACE = 'shop';
const ROOT = join(import.meta.dirname, '..', '..');
export const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' } as const;
export const LEASE_NAME = 'krake-hooks-jobs';
const CRDS = ['webhooks', 'jobdonewatchers', 'webhookdeliveries'];

/** Times that suit a test: what takes minutes elsewhere takes moments. */
const QUICK: Readonly<Record<string, string>> = {
  'jobs.leaseDuration': '6s',
  'jobs.renewDeadline': '5s',
  'jobs.retryPeriod': '500ms',
  'jobs.retryBase': '400ms',
  'jobs.retryCap': '1s',
  'jobs.retryAfterCeiling': '3s',
  'jobs.breakerOpen': '300ms',
  // A replica that stands still for some seconds has met no endpoint that does not accept connections.
  'outbound.connectTimeout': '30s',
  'jobs.anonymousNamespaces': NAMESPACE,
  'outbound.allowCidrs': '127.0.0.0/8',
  shutdownDelay: '0s',
  logLevel: 'info',
};

/** For whoever is to lead undisturbed: a short lease is lost on a busy machine, and who leads anew may send again what it did not know to be written. */
export const CALM_LEASE: Readonly<Record<string, string>> = {
  'jobs.leaseDuration': '15s',
  'jobs.renewDeadline': '10s',
};

/** One process of the service, as it is deployed. */
export interface JobsReplica {
  readonly baseUrl: string;
  readonly pid: number;
  output(): string;
  metrics(): Promise<string>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
}

export interface JobSpec {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly object[];
}

export interface JobsSetting {
  readonly controlPlane: ControlPlane;
  readonly admin: FullKubeClient;
  /** A kubeconfig with the rights of the manifests and no more. */
  readonly kubeconfig: string;
  replica(set?: Readonly<Record<string, string>>): Promise<JobsReplica>;
  createWebhook(name: string, spec: Partial<Webhook['spec']>): Promise<Webhook>;
  createWatcher(
    name: string,
    jobName: string,
    webhooks: readonly string[],
    spec?: object,
  ): Promise<JobDoneWatcher>;
  /** A Job that only the test brings to an end; returns its UID. */
  createJob(name: string, spec?: JobSpec): Promise<string>;
  finishJob(name: string, how?: 'complete' | 'failed'): Promise<void>;
  deleteJob(name: string): Promise<void>;
  job(name: string): Promise<KubeObject | undefined>;
  watcher(name: string): Promise<JobDoneWatcher | undefined>;
  deliveries(): Promise<readonly WebhookDelivery[]>;
  /** Deletes all webhooks, watchers, deliveries and Jobs. */
  clean(): Promise<void>;
  /** Kills all that run, and takes their Lease away: whoever comes next leads at once. */
  stopReplicas(): Promise<void>;
  stop(): Promise<void>;
}

export async function startJobsSetting(): Promise<JobsSetting> {
  const controlPlane = await startControlPlane();
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  await controlPlane.kubectl(['create', 'namespace', 'krake-system']);
  for (const plural of CRDS) {
    await controlPlane.kubectl([
      'apply',
      '--server-side',
      '-f',
      join(ROOT, 'manifests', 'crd', `${plural}.yaml`),
    ]);
    await untilEstablished(controlPlane, `${plural}.hooks.krake.dev`);
  }
  for (const file of ['jobs/rbac.yaml', 'jobs/policy.yaml', 'policy/own-rights.yaml']) {
    await controlPlane.kubectl(['apply', '-f', join(ROOT, 'manifests', 'base', file)]);
  }
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  const kubeconfig = await writeAccountKubeconfig(controlPlane, 'krake-system', 'krake-hooks-jobs');
  const replicas: JobsReplica[] = [];

  return {
    controlPlane,
    admin,
    kubeconfig,
    async replica(set = {}) {
      const replica = await startReplica(kubeconfig, set);
      replicas.push(replica);
      return replica;
    },
    createWebhook: (name, spec) =>
      admin.create<Webhook>(WEBHOOKS, NAMESPACE, {
        apiVersion: WEBHOOKS.apiVersion,
        kind: 'Webhook',
        metadata: { name, namespace: NAMESPACE },
        spec,
      }),
    createWatcher: (name, jobName, webhooks, spec = {}) =>
      admin.create<JobDoneWatcher>(JOB_DONE_WATCHERS, NAMESPACE, {
        apiVersion: JOB_DONE_WATCHERS.apiVersion,
        kind: 'JobDoneWatcher',
        metadata: { name, namespace: NAMESPACE },
        spec: { jobName, webhooks: webhooks.map((webhook) => ({ id: webhook, webhook })), ...spec },
      }),
    async createJob(name, { annotations = {}, labels = {}, ownerReferences } = {}) {
      const { metadata } = await admin.create(JOBS, NAMESPACE, {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace: NAMESPACE,
          annotations,
          labels,
          ...(ownerReferences && { ownerReferences }),
        },
        spec: {
          // Kubernetes' own controller leaves it alone.
          managedBy: 'example.com/test',
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.invalid/main' }] },
          },
        },
      });
      return metadata.uid ?? '';
    },
    async finishJob(name, how = 'complete') {
      await admin.patch(
        { resource: JOBS, namespace: NAMESPACE, name, subresource: 'status' },
        { type: 'merge', body: { status: endedStatus(how) } },
      );
    },
    async deleteJob(name) {
      await controlPlane.kubectl(['-n', NAMESPACE, 'delete', 'job', name, '--cascade=background']);
    },
    job: (name) => admin.get({ resource: JOBS, namespace: NAMESPACE, name }),
    watcher: (name) => admin.get<JobDoneWatcher>({ resource: JOB_DONE_WATCHERS, namespace: NAMESPACE, name }),
    async deliveries() {
      return (await admin.list<WebhookDelivery>(WEBHOOK_DELIVERIES, NAMESPACE)).items;
    },
    async clean() {
      const own = CRDS.map((plural) => `/apis/hooks.krake.dev/v1alpha1/namespaces/${NAMESPACE}/${plural}`);
      // By itself it would leave Jobs until Kubernetes' garbage collector has looked at each, which waits long for an API server that was killed.
      const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs?propagationPolicy=Background`;
      for (const path of [jobs, ...own]) {
        // Of thousands it may take longer than a request may; asked again, it goes on where it was.
        await waitFor(`${path} to be deleted`, async () => {
          const { code } = await controlPlane.kubectl(['delete', '--raw', path], { allowFailure: true });
          return code === 0 ? true : undefined;
        });
      }
      const gone = async () => (await admin.list(JOBS, NAMESPACE)).items.length === 0;
      await eventually('all Jobs to be gone', gone);
    },
    async stopReplicas() {
      await Promise.all(replicas.splice(0).map((replica) => replica.kill()));
      const lease = { resource: LEASES, namespace: 'krake-system', name: LEASE_NAME };
      const uid = (await admin.get(lease))?.metadata.uid;
      if (uid !== undefined) await admin.delete(lease, { uid });
    },
    async stop() {
      await Promise.all(replicas.splice(0).map((replica) => replica.kill()));
      admin.close();
      await controlPlane.stop();
    },
  };
}

/** What the API server demands of a Job that has ended. */
export function endedStatus(how: 'complete' | 'failed', now = new Date()): object {
  const at = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = (type: string) => ({
    type,
    status: 'True',
    lastTransitionTime: at,
    reason: 'Test',
    message: 'as the test wants it',
  });
  return how === 'complete'
    ? {
        startTime: at,
        completionTime: at,
        succeeded: 1,
        // Complete is not the first one: it has to be looked for.
        conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
      }
    : { startTime: at, failed: 1, conditions: [condition('FailureTarget'), condition('Failed')] };
}

/** Waits until the check holds of what is there. */
export async function eventually(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  await waitFor(what, async () => ((await check()) ? true : undefined), { timeoutMs, intervalMs: 50 });
}

async function startReplica(
  kubeconfig: string,
  more: Readonly<Record<string, string>>,
): Promise<JobsReplica> {
  const [port, healthPort] = [await findFreePort(), await findFreePort()];
  const settings = {
    ...QUICK,
    'jobs.host': '127.0.0.1',
    'jobs.port': String(port),
    'health.host': '127.0.0.1',
    'health.port': String(healthPort),
    ...more,
  };
  const args = ['serve', '--parts', 'jobs', '--kubeconfig', kubeconfig];
  const set = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const process_ = spawn(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...args, '--set', ...set], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  const health = (path: string) => fetch(`http://127.0.0.1:${healthPort}${path}`);
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    if (process_.exitCode === null && process_.signalCode === null) {
      const ended = once(process_, 'exit');
      process_.kill(signal);
      await ended;
    }
    return process_.exitCode;
  };
  try {
    await waitFor(
      'the replica to be ready',
      async () => {
        checkAlive(process_, output);
        return (await health('/readyz')).status === 200 ? true : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    );
  } catch (cause) {
    await end('SIGKILL');
    throw new Error(`the replica did not become ready:\n${output.slice(-3_000)}`, { cause });
  }
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    pid: process_.pid ?? 0,
    output: () => output,
    metrics: async () => (await health('/metrics')).text(),
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
}

function checkAlive({ exitCode, signalCode }: ChildProcess, output: string): void {
  if (exitCode !== null || signalCode !== null)
    throw new Error(`the replica has ended:\n${output.slice(-3_000)}`);
}
