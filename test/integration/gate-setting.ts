import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Application } from '../../src/applications/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { findLastingPort } from '../cluster/free-port.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { callApi, type ApiAnswer } from './call-api.ts';
import { applyManifests, pointGateAt, startService, type ServiceProcess } from './service.ts';

export interface PodOptions {
  readonly application?: string;
  readonly hooks?: string;
  readonly node?: string;
  /** Default Running. */
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
}

/** A real control plane with the manifests, and the gate alone as a process with the rights of its own service account. */
export interface GateSetting {
  readonly controlPlane: ControlPlane;
  gate(): ServiceProcess;
  /** After its end: another process on the same port. */
  restartGate(): Promise<void>;
  kubectl(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  call(method: string, path: string, body?: object, as?: string): Promise<ApiAnswer>;
  /** A new namespace that is opted in; its name. */
  namespace(): Promise<string>;
  /** An Application that wants to be asked to shut down. */
  application(namespace: string, name: string, spec?: object): Promise<void>;
  /** Merged into the status, as the controller would write it. */
  setStatus(namespace: string, name: string, status: object): Promise<void>;
  get(namespace: string, name: string): Promise<Application>;
  /** A pod that was injected and runs; its UID. */
  pod(namespace: string, name: string, options?: PodOptions): Promise<string>;
  setPhase(namespace: string, name: string, phase: string): Promise<void>;
  exists(namespace: string, name: string): Promise<boolean>;
  /** How often the gate was asked about that kind of request, with that answer. */
  asked(kind: 'deletion' | 'eviction', outcome?: 'passed'): Promise<number>;
  /** How often it has written which pods are to go. */
  writes(): Promise<number>;
  stop(): Promise<void>;
}

export const APPLICATION_LABEL = 'hooks.krake.dev/application';
export const HOOKS_ANNOTATION = 'hooks.krake.dev/hooks';

/** The spec of a pod as admission leaves it behind, so that the policy krake-hooks-injected lets it in. */
export function injectedSpec(application: string, more: object = {}): object {
  const secret = `krake-hooks-${application}`;
  return {
    containers: [
      {
        name: 'main',
        image: 'example.invalid/main',
        env: [{ name: 'KRAKE_TOKEN', valueFrom: { secretKeyRef: { name: secret, key: 'token' } } }],
      },
    ],
    volumes: [{ name: 'krake-hooks', secret: { secretName: secret } }],
    ...more,
  };
}

export const running = {
  phase: 'Running',
  containerStatuses: [
    {
      name: 'main',
      image: 'example.invalid/main',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    },
  ],
};

/** A conversation about these pods, open; `more` confirms or ends it. */
export function conversation(podUids: readonly string[], more: object = {}): object {
  return {
    id: 'conversation-1',
    scope: 'pods',
    form: 'service',
    reason: 'deletion',
    startedAt: '2026-01-01T00:00:00Z',
    roundStartedAt: '2026-01-01T00:00:00Z',
    deadline: '2026-01-01T00:01:00Z',
    round: 1,
    needed: 1,
    pods: podUids.map((uid) => ({ uid, name: `pod-${uid.slice(0, 8)}` })),
    ...more,
  };
}

export const shutdown = (...conversations: object[]): object => ({
  shutdown: { sequence: conversations.length, going: {}, conversations },
});

export interface GateSettingOptions {
  /** By which URL the gate calls the API server, for a proxy in between. */
  readonly through?: (url: string) => Promise<string>;
  /** The times of an installation. Default: the longest that there are, so that a machine that stands still for a moment decides nothing. */
  readonly asInstalled?: boolean;
}

/** The API server waits for the answer of a webhook no longer than this. */
const LONGEST_TIMEOUT_SECONDS = 30;

export async function startGateSetting({
  through = (url) => Promise.resolve(url),
  asInstalled = false,
}: GateSettingOptions = {}): Promise<GateSetting> {
  const controlPlane = await startControlPlane();
  try {
    await applyManifests(controlPlane);
    // Nothing answers it here, and its time-out would be paid with each pod.
    await controlPlane.kubectl(['delete', 'mutatingwebhookconfiguration', 'krake-hooks']);
    const kubeconfig = await kubeconfigOf(controlPlane, 'gate', await through(controlPlane.url));
    const gatePort = await findLastingPort();
    const set: Record<string, string> = {
      'gate.port': String(gatePort),
      ...(asInstalled ? {} : { 'gate.deadline': '28s' }),
    };
    const start = async () => ({
      ...(await startService(controlPlane, { parts: ['gate'], kubeconfig, set })),
      gatePort,
    });
    const gate = await start();
    await pointGateAt(controlPlane, gate.gatePort);
    if (!asInstalled) await patchGateWebhooks(controlPlane, { timeoutSeconds: LONGEST_TIMEOUT_SECONDS });
    await gate.untilReady();
    const setting = createSetting(controlPlane, gate, start);
    await untilAsked(setting);
    return setting;
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}

/** Sets these fields in all webhooks of the gate. */
export async function patchGateWebhooks(
  controlPlane: ControlPlane,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  const patch = [0, 1].flatMap((index) =>
    Object.entries(fields).map(([key, value]) => ({
      op: 'replace',
      path: `/webhooks/${index}/${key}`,
      value,
    })),
  );
  const name = 'validatingwebhookconfiguration/krake-hooks-gate';
  await controlPlane.kubectl(['patch', name, '--type=json', '-p', JSON.stringify(patch)]);
}

/** With a token of the part's own service account. */
export async function kubeconfigOf(
  controlPlane: ControlPlane,
  part: string,
  server = controlPlane.url,
): Promise<string> {
  const args = ['-n', 'krake-system', 'create', 'token', `krake-hooks-${part}`];
  const token = (await controlPlane.kubectl(args)).stdout.trim();
  const path = join(controlPlane.dir, `${part}-${randomBytes(3).toString('hex')}.kubeconfig`);
  const data = Buffer.from(controlPlane.caPem).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': data } }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

function createSetting(
  controlPlane: ControlPlane,
  first: ServiceProcess,
  start: () => Promise<ServiceProcess>,
): GateSetting {
  let gate = first;
  let count = 0;
  const create = (object: object) =>
    controlPlane.kubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
  const call: GateSetting['call'] = (method, path, body, as) =>
    callApi(controlPlane, method, path, body, as === undefined ? {} : { as });
  const patched = async (path: string, body: object) => {
    const { status, body: answer } = await call('PATCH', path, body);
    if (status !== 200) throw new Error(`PATCH ${path}: ${status} ${answer.message ?? ''}`);
  };
  const setting: GateSetting = {
    controlPlane,
    gate: () => gate,
    async restartGate() {
      gate = await start();
      await gate.untilReady();
    },
    call,
    kubectl: (...args) => controlPlane.kubectl(args, { allowFailure: true }),
    async namespace() {
      const name = `gate-${++count}`;
      const labels = { 'hooks.krake.dev/enabled': 'true' };
      await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      await waitFor(`the service account of ${name}`, async () => {
        const { code } = await setting.kubectl('-n', name, 'get', 'serviceaccount', 'default');
        return code === 0 || undefined;
      });
      return name;
    },
    async application(namespace, name, spec = {}) {
      await create({
        apiVersion: 'hooks.krake.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace },
        spec: { hooks: ['shutdown'], ...spec },
      });
    },
    setStatus: (namespace, name, status) => patched(`${applicationPath(namespace, name)}/status`, { status }),
    async get(namespace, name) {
      return (await call('GET', applicationPath(namespace, name))).body as Application;
    },
    async pod(namespace, name, { application = 'web', hooks = 'shutdown', node, phase = 'Running' } = {}) {
      await create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...{ name, namespace },
          ...(application !== '' && { labels: { [APPLICATION_LABEL]: application } }),
          ...(hooks !== '' && { annotations: { [HOOKS_ANNOTATION]: hooks } }),
        },
        spec: injectedSpec(application || 'web', node === undefined ? {} : { nodeName: node }),
      });
      await setting.setPhase(namespace, name, phase);
      const { body } = await call('GET', podPath(namespace, name));
      return (body as { metadata: { uid: string } }).metadata.uid;
    },
    setPhase: (namespace, name, phase) =>
      patched(`${podPath(namespace, name)}/status`, {
        status: phase === 'Pending' ? { phase } : { ...running, phase },
      }),
    async exists(namespace, name) {
      return (await call('GET', podPath(namespace, name))).status === 200;
    },
    asked: (kind, outcome) =>
      sumOf(gate, 'krake_hooks_gate_reviews_total', [
        `request="${kind}"`,
        outcome === undefined ? '' : `outcome="${outcome}"`,
      ]),
    writes: () => sumOf(gate, 'krake_hooks_gate_store_seconds_count', []),
    async stop() {
      await gate.end('SIGKILL');
      await controlPlane.stop();
    },
  };
  return setting;
}

/** Of all series of a metric that have these labels. */
async function sumOf(gate: ServiceProcess, metric: string, labels: readonly string[]): Promise<number> {
  const { text } = await gate.get('/metrics');
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

export const podPath = (namespace: string, name: string): string =>
  `/api/v1/namespaces/${namespace}/pods/${name}`;
const applicationPath = (namespace: string, name: string): string =>
  `/apis/hooks.krake.dev/v1alpha1/namespaces/${namespace}/applications/${name}`;

/** The API server takes a webhook configuration up a moment after it was written. */
async function untilAsked(setting: GateSetting): Promise<void> {
  const namespace = await setting.namespace();
  await setting.application(namespace, 'web');
  await setting.pod(namespace, 'probe');
  await waitFor('the API server to ask the gate', async () => {
    const { code } = await setting.kubectl('-n', namespace, 'delete', 'pod', 'probe', '--dry-run=server');
    return code !== 0 && (await setting.asked('deletion')) > 0 ? true : undefined;
  });
}
