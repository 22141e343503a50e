import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  APPLICATIONS,
  createApplicationController,
  type Application,
  type ApplicationController,
  type ApplicationControllerOptions,
} from '../../src/applications/index.ts';
import {
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_HOOKS,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  applicationName,
  secretName,
  type WorkloadKind,
} from '../../src/contract/index.ts';
import {
  createEventRecorder,
  createKubeClient,
  type EventRecorder,
  type FullKubeClient,
  type KubeObject,
  type ObjectRef,
} from '../../src/kube/index.ts';
import type { LogFields, Logger } from '../../src/observability/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';

export const NAMESPACE = 'shop';
/** Fine for tests: nothing of what they wait for takes longer on a busy machine. */
const SOON = { timeoutMs: 20_000, intervalMs: 20 };

export interface Replica {
  readonly controller: ApplicationController;
  readonly events: EventRecorder;
  /** What the controller logged, for assertions about secrets and steps. */
  readonly lines: { readonly message: string; readonly fields: LogFields | undefined }[];
  readonly actions: string[];
  stop(): Promise<void>;
}

export interface ReplicaOptions extends Partial<ApplicationControllerOptions> {
  readonly client?: FullKubeClient;
  readonly bundle?: Bundle;
}

/** A CA bundle that a test may replace. */
export interface Bundle {
  pem(): string;
  onChange(listener: () => void): () => void;
  refresh(): Promise<void>;
  set(pem: string): void;
}

export interface ApplicationsSetting {
  readonly controlPlane: ControlPlane;
  /** The administrator's. */
  readonly admin: FullKubeClient;
  /** A client of its own with exactly the rights that the manifests grant to the controller. */
  controllerClient(): FullKubeClient;
  replica(options?: ReplicaOptions): Promise<Replica>;
  /** Creates a workload of this kind with one container, annotated; returns its UID. */
  createWorkload(kind: WorkloadKind, name: string, options?: WorkloadOptions): Promise<string>;
  workload(kind: WorkloadKind, name: string): Promise<KubeObject | undefined>;
  application(name: string): Promise<Application | undefined>;
  /** Waits until the Application is as the check wants it. */
  applicationThat(name: string, what: string, check: (app: Application) => boolean): Promise<Application>;
  gone(kind: WorkloadKind, name: string): Promise<true>;
  secret(application: string): Promise<SecretObject | undefined>;
  /** Stores the complete signal as callbacks do: bound to the token that is valid now. */
  signal(application: string): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkloadOptions {
  readonly hooks?: string | undefined;
  readonly action?: string;
  readonly application?: string;
  readonly replicas?: number;
  readonly finalizers?: readonly string[];
  /** Hooks written into the pod template instead. */
  readonly template?: boolean;
}

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export async function startApplicationsSetting(): Promise<ApplicationsSetting> {
  const controlPlane = await startControlPlane();
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  const kubectl = controlPlane.kubectl;
  await kubectl(['apply', '--server-side', '-f', 'manifests/crd/applications.yaml']);
  await kubectl(['wait', '--for=condition=Established', 'crd/applications.hooks.krake.dev']);
  await kubectl(['create', 'namespace', 'krake-system']);
  await kubectl(['apply', '-f', 'manifests/base/rbac/controller.yaml']);
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  const kubeconfigPath = await writeControllerKubeconfig(controlPlane);
  const clients: FullKubeClient[] = [];
  const replicas: Replica[] = [];
  const refOf = (kind: WorkloadKind, name: string): ObjectRef => ({
    resource: WORKLOAD_KINDS[kind],
    namespace: NAMESPACE,
    name,
  });

  const setting: ApplicationsSetting = {
    controlPlane,
    admin,
    controllerClient() {
      const client = createKubeClient({ kubeconfigPath, userAgent: 'krake-hooks-controller/0' });
      clients.push(client);
      return client;
    },
    async replica(options = {}) {
      const replica = await startReplica(options.client ?? setting.controllerClient(), options);
      replicas.push(replica);
      return replica;
    },
    async createWorkload(kind, name, options = {}) {
      const created = await admin.create(WORKLOAD_KINDS[kind], NAMESPACE, buildWorkload(kind, name, options));
      return created.metadata.uid ?? '';
    },
    workload: (kind, name) => admin.get(refOf(kind, name)),
    application: (name) => admin.get<Application>({ resource: APPLICATIONS, namespace: NAMESPACE, name }),
    async applicationThat(name, what, check) {
      let seen: Application | undefined;
      try {
        return await waitFor(
          `Application ${name} ${what}`,
          async () => {
            seen = await setting.application(name);
            return seen !== undefined && check(seen) ? seen : undefined;
          },
          SOON,
        );
      } catch (cause) {
        throw new Error(`Application ${name} never ${what}: ${JSON.stringify(seen)}`, { cause });
      }
    },
    gone: (kind, name) =>
      waitFor(
        `${kind} ${name} to be gone`,
        async () => ((await admin.get(refOf(kind, name))) === undefined ? true : undefined),
        SOON,
      ),
    secret: (application) =>
      admin.get<SecretObject>({
        resource: { apiVersion: 'v1', plural: 'secrets' },
        namespace: NAMESPACE,
        name: secretName(application),
      }),
    async signal(application) {
      const app = await setting.application(application);
      await admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: application, subresource: 'status' },
        { type: 'json', body: signalPatch(app?.status?.tokenSha256) },
      );
    },
    async stop() {
      for (const replica of replicas) await replica.stop();
      for (const client of clients) client.close();
      admin.close();
      await controlPlane.stop();
    },
  };
  return setting;
}

export function signalPatch(tokenSha256: string | undefined): readonly unknown[] {
  const complete = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  return [
    { op: 'test', path: '/status/tokenSha256', value: tokenSha256 },
    { op: 'add', path: '/status/signals', value: { complete } },
  ];
}

export function createBundle(pem: string): Bundle {
  const listeners = new Set<() => void>();
  let current = pem;
  return {
    pem: () => current,
    refresh: () => Promise.resolve(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(next) {
      current = next;
      for (const listener of listeners) listener();
    },
  };
}

/** A stamp as admission writes it, in small: admission is not part of these tests. */
export function stampPatch(object: KubeObject): readonly unknown[] | undefined {
  const { kind, metadata, spec } = object as KubeObject & {
    spec?: { template?: { metadata?: KubeObject['metadata'] } };
  };
  if (kind === 'Job' || kind === 'Pod' || kind === 'CronJob' || spec?.template === undefined)
    return undefined;
  const hooks = metadata.annotations?.[ANNOTATION_HOOKS];
  const template = spec.template.metadata ?? {};
  const annotations = template.annotations ?? {};
  const origin = 'hooks.krake.dev/stamped-from';
  if (hooks === undefined) {
    if (annotations[origin] !== 'workload') return undefined;
    const { [LABEL_APPLICATION]: label, ...labels } = template.labels ?? {};
    return label === undefined
      ? undefined
      : [
          { op: 'replace', path: '/spec/template/metadata/labels', value: labels },
          { op: 'remove', path: '/spec/template/metadata/annotations' },
        ];
  }
  const application =
    metadata.labels?.[LABEL_APPLICATION] ?? applicationName(kind ?? '', metadata.name ?? '');
  if (template.labels?.[LABEL_APPLICATION] === application && annotations[ANNOTATION_HOOKS] === hooks)
    return undefined;
  return [
    {
      op: 'add',
      path: '/spec/template/metadata/labels',
      value: { ...template.labels, [LABEL_APPLICATION]: application },
    },
    {
      op: 'add',
      path: '/spec/template/metadata/annotations',
      value: { ...annotations, [ANNOTATION_HOOKS]: hooks, [origin]: 'workload' },
    },
  ];
}

async function startReplica(client: FullKubeClient, options: ReplicaOptions): Promise<Replica> {
  const lines: Replica['lines'][number][] = [];
  const actions: string[] = [];
  const logger = createRecordingLogger(lines);
  const events = createEventRecorder({
    client,
    component: 'krake-hooks-controller',
    instance: 'test',
    logger,
  });
  const controller = createApplicationController(
    {
      client,
      logger,
      events,
      trustBundle: options.bundle ?? createBundle('-----BEGIN CERTIFICATE-----\nfirst\n'),
      metrics: { action: (action) => void actions.push(action), signalToAction: () => undefined },
      now: Date.now,
      randomBytes,
      stampPatch,
    },
    {
      workers: options.workers ?? 8,
      resyncIntervalMs: options.resyncIntervalMs ?? 600_000,
      finishedTtlMs: options.finishedTtlMs ?? 3_600_000,
      excludedNamespaces: ['krake-system'],
    },
  );
  const ended = new AbortController();
  await controller.start(ended.signal);
  await waitFor('the controller to be ready', () => (controller.ready() ? true : undefined), SOON);
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await controller.stop();
    ended.abort();
    await events.flush();
  };
  return { controller, events, lines, actions, stop: () => (stopped ??= stop()) };
}

export function createRecordingLogger(lines: { message: string; fields: LogFields | undefined }[]): Logger {
  const write = (message: string, fields?: LogFields) => void lines.push({ message, fields: { ...fields, at: Date.now() } });
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  return logger;
}

function buildWorkload(kind: WorkloadKind, name: string, options: WorkloadOptions): object {
  const { hooks = 'complete', action, application, replicas = 1, template: byTemplate = false } = options;
  const own = {
    ...(hooks === '' ? {} : { [ANNOTATION_HOOKS]: hooks }),
    ...(action === undefined ? {} : { [ANNOTATION_COMPLETE_ACTION]: action }),
  };
  const name63 = application ?? applicationName(kind, name);
  const labels = { app: name, ...(hooks === '' ? {} : { [LABEL_APPLICATION]: name63 }) };
  const podSpec = {
    restartPolicy: kind === 'Job' || kind === 'Pod' ? 'Never' : 'Always',
    containers: [{ name: 'main', image: 'example.invalid/none' }],
    volumes: [{ name: 'krake-hooks', secret: { secretName: secretName(name63) } }],
  };
  const origin = { 'hooks.krake.dev/stamped-from': byTemplate ? 'template' : 'workload' };
  const template = {
    metadata: { labels, ...(hooks === '' ? {} : { annotations: { ...own, ...origin } }) },
    spec: podSpec,
  };
  const metadata = {
    name,
    namespace: NAMESPACE,
    labels: application === undefined ? {} : { [LABEL_APPLICATION]: application },
    annotations: byTemplate ? {} : own,
    finalizers: options.finalizers ?? [],
  };
  const base = { apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind, metadata };
  const selector = { matchLabels: { app: name } };
  switch (kind) {
    case 'Pod':
      return { ...base, metadata: { ...metadata, labels }, spec: podSpec };
    case 'Job':
      return { ...base, spec: { template } };
    case 'ReplicationController':
      return { ...base, spec: { replicas, selector: { app: name }, template } };
    case 'StatefulSet':
      return { ...base, spec: { replicas, selector, serviceName: name, template } };
    case 'DaemonSet':
      return { ...base, spec: { selector, template } };
    case 'CronJob':
      return { ...base, spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } } };
    default:
      return { ...base, spec: { replicas, selector, template } };
  }
}

/** The service account of the manifests, with the rights of the manifests: the tests run with no others. */
async function writeControllerKubeconfig(controlPlane: ControlPlane): Promise<string> {
  const { url, caPem, dir } = controlPlane;
  const { stdout } = await controlPlane.kubectl([
    'create',
    'token',
    '-n',
    'krake-system',
    'krake-hooks-controller',
    '--duration=2h',
  ]);
  const config = JSON.parse(await readFile(controlPlane.kubeconfig, 'utf8')) as Record<string, unknown>;
  const path = join(dir, 'controller.kubeconfig');
  const server = { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
  await writeFile(
    path,
    JSON.stringify({
      ...config,
      clusters: [{ name: 'c', cluster: server }],
      users: [{ name: 'u', user: { token: stdout.trim() } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  return path;
}
