import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { JobDoneWatcher, WebhookDelivery } from '../../src/jobs/index.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';
import { ensureInstalled, startCluster } from './installation.ts';
import { startJobReceiver, type ReceivedWebhook } from './job-receiver.ts';
import { createNamespace, removeNamespace, type TestNamespace } from './namespace.ts';
import { onNode } from './on-node.ts';
import { podSpec } from './workloads.ts';

const NATIVE = 'hooks-e2e-jobs';
/** In the configuration of the tests' installation: callers without a token may act in it. */
const LEGACY = 'hooks-e2e-legacy';
const SYSTEM = ['-n', 'krake-system'] as const;
const TOLD = { 'hooks.krake.dev/on-job-done': 'reports' };
/** Whatever would come twice has come by then. */
const CALM_MS = 3_000;
const TIMEOUT_MS = 600_000;

interface Event {
  readonly type: string;
  readonly data: { readonly name: string; readonly succeeded: number; readonly failed: number };
}
const eventOf = ({ body }: ReceivedWebhook): Event => JSON.parse(body) as Event;
const isOf = (job: RegExp) => (received: ReceivedWebhook) => job.test(eventOf(received).data.name);

function job(name: string, script: string): object {
  const spec = { backoffLimit: 0, template: { spec: podSpec(script, 'Never') } };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, annotations: TOLD }, spec };
}

onNode('what becomes of Jobs reaches a receiver', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
    await ensureInstalled(cluster);
    await cluster.kubectl([...SYSTEM, 'rollout', 'status', 'deployment/krake-hooks-jobs', '--timeout=150s'], {
      timeoutMs: 160_000,
    });
  }, 600_000);
  afterAll(async () => {
    for (const name of [NATIVE, LEGACY]) await removeNamespace(cluster, name);
  }, 60_000);

  /** With a signed Webhook `reports`, and its receiver. */
  async function nativeSetting() {
    const ns = await createNamespace(cluster, NATIVE);
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const metadata = { name: 'krake-hooks-webhooks' };
    await ns.apply(
      { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { reports: secret } },
      {
        apiVersion: 'hooks.krake.dev/v1alpha1',
        kind: 'Webhook',
        metadata: { name: 'reports' },
        spec: { url: `http://reports.${NATIVE}.svc/jobs`, secretRefs: [{ key: 'reports' }] },
      },
    );
    return { ns, receiver: await startJobReceiver(ns, secret) };
  }

  it(
    'a Job, a failing Job and the run of a CronJob with parallel pods: once each, and signed',
    async () => {
      const { ns, receiver } = await nativeSetting();
      const template = { spec: podSpec('sleep 1', 'Never') };
      await ns.apply(job('good', 'exit 0'), job('bad', 'exit 3'), {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'cron', annotations: TOLD },
        spec: {
          schedule: '0 0 1 1 *',
          suspend: true,
          jobTemplate: { spec: { parallelism: 2, completions: 2, template } },
        },
      });
      await ns.kubectl(['create', 'job', '--from=cronjob/cron', 'cron-run']);
      await receiver.untilReceived('the three Jobs', 3);
      await sleep(CALM_MS);
      const received = await receiver.received();
      expect(received.map(({ signature, answer }) => `${signature} ${answer}`)).toEqual([
        ...['valid 204', 'valid 204', 'valid 204'],
      ]);
      const told = received.map(eventOf).sort((a, b) => (a.data.name < b.data.name ? -1 : 1));
      expect(told).toMatchObject([
        { type: 'dev.krake.hooks.job.failed', data: { name: 'bad', succeeded: 0, failed: 1 } },
        { type: 'dev.krake.hooks.job.complete', data: { name: 'cron-run', succeeded: 2 } },
        { type: 'dev.krake.hooks.job.complete', data: { name: 'good', succeeded: 1 } },
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'the receiver is down while Jobs end, and our leader is killed: nothing is lost, nothing comes twice',
    async () => {
      const { ns, receiver } = await nativeSetting();
      await receiver.down();
      await ns.apply(job('late-1', 'exit 0'), job('late-2', 'exit 1'), job('late-3', 'exit 0'));
      await eventually('attempts that failed', async () => {
        const { items } = await ns.json<{ items: readonly WebhookDelivery[] }>(['get', 'webhookdeliveries']);
        const tried = items.filter(({ status }) => (status?.attempts ?? 0) > 0);
        return tried.length === 3 ? true : undefined;
      });
      const leader = async (): Promise<string> => {
        const path = 'jsonpath={.spec.holderIdentity}';
        const { stdout } = await cluster.kubectl([...SYSTEM, 'get', 'lease', 'krake-hooks-jobs', '-o', path]);
        return stdout;
      };
      const before = await leader();
      const [pod = ''] = before.split('_');
      await cluster.kubectl([...SYSTEM, 'delete', 'pod', pod, '--force', '--grace-period=0']);
      await eventually('another leader', async () => {
        const now = await leader();
        return now !== '' && now !== before ? true : undefined;
      });
      await receiver.up();
      await receiver.untilReceived('the three Jobs', 3, isOf(/^late-/));
      await sleep(CALM_MS);
      const received = (await receiver.received()).filter(isOf(/^late-/));
      expect(received.map(({ signature }) => signature)).toEqual(['valid', 'valid', 'valid']);
      expect(new Set(received.map(({ id }) => id)).size).toBe(3);
    },
    TIMEOUT_MS,
  );

  it(
    'a CronJob for k8s-job-webhooks with its init container: two pods, one watcher, one call',
    async () => {
      const ns = await createNamespace(cluster, LEGACY);
      const receiver = await startJobReceiver(ns);
      const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'k8s-job-webhook-service' } };
      const externalName = 'krake-hooks-jobs.krake-system.svc.cluster.local';
      await ns.apply({ ...service, spec: { type: 'ExternalName', externalName, ports: [{ port: 8080 }] } });
      const webhookId = await registerWebhook(ns, `http://reports.${LEGACY}.svc/legacy`);
      await ns.apply(legacyCronJob(webhookId));
      await ns.kubectl(['create', 'job', '--from=cronjob/example-cronjob', 'example-run']);
      await receiver.untilReceived('the CronJob', 1);
      await sleep(CALM_MS);
      expect(await receiver.received()).toMatchObject([{ path: '/legacy', body: '{"text":"done"}' }]);
      const watchers = await eventually('the end of the watcher', async () => {
        const { items } = await ns.json<{ items: readonly JobDoneWatcher[] }>(['get', 'jobdonewatchers']);
        return items.every(({ status }) => status?.phase === 'COMPLETED') ? items : undefined;
      });
      expect(watchers.map(({ spec }) => spec.jobName)).toEqual(['example-run']);
      await eventually('the label of the Job', async () => {
        const { metadata } = await ns.json<{ metadata: { labels: Readonly<Record<string, string>> } }>([
          ...['get', 'job', 'example-run'],
        ]);
        return metadata.labels['app.k8s.job.webhooks/webhooks-called'] === 'true' || undefined;
      });
    },
    TIMEOUT_MS,
  );
});

/** As users of the original do it: `POST /webhooks`, by hand. */
async function registerWebhook(ns: TestNamespace, url: string): Promise<string> {
  const body = JSON.stringify({ url, requestBody: '{"text":"done"}', description: 'legacy' });
  const script = `curl -sS --fail --connect-timeout 5 --retry 10 --retry-all-errors --retry-delay 1 -H 'Content-Type: application/json' -d '${body}' http://k8s-job-webhook-service:8080/webhooks`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'register' },
    spec: podSpec(script, 'Never'),
  };
  await ns.apply(pod);
  await ns.kubectl(['wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/register', '--timeout=120s'], {
    timeoutMs: 130_000,
  });
  const { stdout } = await ns.kubectl(['logs', 'register']);
  // Before the answer, curl may have said of attempts that they failed.
  return (JSON.parse(stdout.slice(stdout.indexOf('{'))) as { readonly id: string }).id;
}

/**
 * The original's example: its init container's script, but for `-O /dev/null`, since who is not root cannot write into `/`. Otherwise different: the image, what
 * Pod Security `restricted` asks for, a program that is in the image, and `suspend`, since the test makes the one Job of it itself.
 */
function legacyCronJob(webhookId: string): object {
  const script = `
    requestBody='{
        "jobName": "$JOB_NAME",
        "jobDoneTriggerWebhooks": [
          {
            "webhookId": "${webhookId}",
            "timeoutSeconds": 0
          }
        ]
    }'

    requestBody=$(echo $requestBody | sed "s/\\$JOB_NAME/$JOB_NAME/")

    wget --header="Content-Type: application/json" \\
      --header="Idempotency-Key: $JOB_NAME" \\
      --post-data="$requestBody" -O /dev/null \\
      http://k8s-job-webhook-service:8080/job-done-watchers`;
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const init = {
    name: 'init-http-request',
    image: 'localhost/tools:1',
    imagePullPolicy: 'Never',
    env: [{ name: 'JOB_NAME', valueFrom: { fieldRef: { fieldPath: "metadata.labels['job-name']" } } }],
    command: ['sh', '-c', script],
    securityContext,
  };
  const spec = { ...podSpec('sleep 1', 'OnFailure'), initContainers: [init] };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'example-cronjob' },
    spec: {
      schedule: '*/1 * * * *',
      suspend: true,
      jobTemplate: { spec: { parallelism: 2, completions: 2, template: { spec } } },
    },
  };
}
