import { randomBytes } from 'node:crypto';
import {
  APPLICATIONS,
  createApplicationController,
  type Application,
  type ApplicationController,
  type ApplicationControllerOptions,
  type CertificateSource,
  type ShutdownCaller,
} from '../../src/applications/index.ts';
import {
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  callbackUrl,
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
import { buildAdmissionSettings } from '../../src/admission/index.ts';
import { stampPatch } from '../../src/cli/stamp-patch.ts';
import { configSchema } from '../../src/config/index.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { untilEstablished } from '../cluster/until-established.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { buildWorkload, type WorkloadOptions } from './applications-workloads.ts';

export const NAMESPACE = 'shop';
const settings = buildAdmissionSettings(configSchema.parse({}));
/** What no watch shows is looked at every 15 s, and some of it only at the second look. */
const SOON = { timeoutMs: 60_000, intervalMs: 20 };

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
  /** Default: none, a token alone. */
  readonly certificates?: CertificateSource;
  /** Default: every call is accepted. */
  readonly callShutdown?: ShutdownCaller;
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
  /** Waits for a pod of the application, which then runs as far as its status says so: there is no kubelet. */
  runningPod(application: string): Promise<KubeObject>;
  /** Stores the complete signal as callbacks do: bound to the token that is valid now. */
  signal(application: string): Promise<void>;
  stopReplicas(): Promise<void>;
  stop(): Promise<void>;
}

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export async function startApplicationsSetting(): Promise<ApplicationsSetting> {
  const controlPlane = await startControlPlane();
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  await controlPlane.kubectl(['apply', '--server-side', '-f', 'manifests/crd/applications.yaml']);
  await untilEstablished(controlPlane, 'applications.hooks.krake.dev');
  await controlPlane.kubectl(['create', 'namespace', 'krake-system']);
  await controlPlane.kubectl(['apply', '-f', 'manifests/base/rbac/controller.yaml']);
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  const kubeconfigPath = await writeAccountKubeconfig(controlPlane, 'krake-system', 'krake-hooks-controller');
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
      const created = await admin.create(
        WORKLOAD_KINDS[kind],
        NAMESPACE,
        buildWorkload(kind, name, NAMESPACE, options),
      );
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
    async runningPod(application) {
      const labelSelector = `${LABEL_APPLICATION}=${application}`;
      const pod = await waitFor(
        `a pod of ${application}`,
        async () => (await admin.list(WORKLOAD_KINDS.Pod, NAMESPACE, { labelSelector })).items[0],
        SOON,
      );
      const status = { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] };
      const ref = { ...refOf('Pod', pod.metadata.name ?? ''), subresource: 'status' } as const;
      await admin.patch(ref, { type: 'merge', body: { status } });
      return pod;
    },
    async signal(application) {
      const app = await setting.application(application);
      await admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: application, subresource: 'status' },
        { type: 'json', body: signalPatch(app?.status?.tokenSha256) },
      );
    },
    async stopReplicas() {
      await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    },
    async stop() {
      await setting.stopReplicas();
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
      certificates: options.certificates,
      metrics: {
        action: (action) => void actions.push(action),
        signalToAction: () => undefined,
        conversationEnded: () => undefined,
      },
      now: Date.now,
      randomBytes,
      callShutdown: options.callShutdown ?? (() => Promise.resolve({ accepted: true })),
      confirmUrl: (namespace, application) =>
        callbackUrl('https://callbacks.test', namespace, application, 'shutdown'),
      stampPatch: (object) => stampPatch(object, settings),
    },
    {
      workers: options.workers ?? 8,
      resyncIntervalMs: options.resyncIntervalMs ?? 600_000,
      finishedTtlMs: options.finishedTtlMs ?? 3_600_000,
      tokens: options.tokens,
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
  const write = (message: string, fields?: LogFields) => void lines.push({ message, fields });
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  return logger;
}
