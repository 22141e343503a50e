import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import {
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  callbackUrl,
  secretName,
} from '../../src/contract/index.ts';
import { createKubeClient, type FullKubeClient, type KubeObject } from '../../src/kube/index.ts';
import { credentialsIn } from '../cluster/application-credentials.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { findLastingPort } from '../cluster/free-port.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { startApiProxy, type ApiProxy } from '../history/api-proxy.ts';
import { startFakeApplications, type FakeApplications } from '../history/fake-applications.ts';
import type { HistoryEvent } from '../history/history.ts';
import { recordObjects, type ObjectRecorder, type RecordObjectsOptions } from '../history/record-objects.ts';
import { tellHistory } from '../history/tell-history.ts';
import { applyManifests, pointWebhooksAt, startService, type ServiceProcess } from './service.ts';

// A real control plane, admission that always runs, and the rest of the service in one process that is killed: it reaches the API server through
// a proxy that counts its writes. Pods run as far as their status says so; whoever asks them meets HTTP servers of ours at their addresses.

const SOON = { timeoutMs: 60_000, intervalMs: 20 };
const SYSTEM = 'krake-system';
const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' };
const NAMESPACES = { apiVersion: 'v1', plural: 'namespaces' };
const PATH = '/shutdown';
/** Not 127.0.0.1: nobody but the pods of the test lives here. */
const ADDRESSES = ['127.0.20.1', '127.0.20.2', '127.0.20.3', '127.0.20.4'];
/** So long nothing must happen for everything to have come to rest. */
const QUIET_MS = 700;

export interface CrashSetting {
  readonly controlPlane: ControlPlane;
  readonly admin: FullKubeClient;
  readonly proxy: ApiProxy;
  readonly applications: FakeApplications;
  /** A namespace of its own, opted in and recorded. */
  scene(): Promise<Scene>;
  /** Starts the service if it does not run. */
  ensureService(): Promise<void>;
  killService(): void;
  /** The process has ended. */
  untilKilled(): Promise<void>;
  /** What the processes wrote, for a failure's message. */
  output(): string;
  stop(): Promise<void>;
}

/** One namespace with one application in it, and what happens there. */
export interface Scene {
  readonly namespace: string;
  /** Where pods are asked. */
  readonly callPort: number;
  readonly history: readonly HistoryEvent[];
  record(event: HistoryEvent): void;
  /** A Deployment whose pods are asked themselves, running. */
  deploy(name: string, options: DeployOptions): Promise<Deployed>;
  pods(): Promise<KubeObject[]>;
  application(name: string): Promise<Application | undefined>;
  kubectl(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** POSTs an object to a path of the API server. */
  create(path: string, object: object): Promise<{ code: number; stdout: string; stderr: string }>;
  /** What happened, in lines. */
  tell(): string;
  /** Resolves when nothing has happened for a while. */
  untilQuiet(): Promise<void>;
  /** The pods say goodbye of their own accord, each until it has been heard. */
  sayGoodbyes(deployed: Deployed): Promise<void>;
  stop(): void;
}

export interface DeployOptions {
  readonly replicas: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Deployed {
  readonly application: string;
  readonly pods: readonly KubeObject[];
}

export interface CrashSettingOptions {
  readonly recording?: RecordObjectsOptions;
  /** Further settings of the service. */
  readonly set?: Readonly<Record<string, string>>;
  /** For the node that runs the service. */
  readonly execArgv?: readonly string[];
}

export async function startCrashSetting(options: CrashSettingOptions = {}): Promise<CrashSetting> {
  const controlPlane = await startControlPlane();
  try {
    return await openCrashSetting(controlPlane, options);
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}

async function openCrashSetting(
  controlPlane: ControlPlane,
  options: CrashSettingOptions,
): Promise<CrashSetting> {
  await applyManifests(controlPlane);
  const proxy = await startApiProxy(controlPlane);
  const proxied = await proxiedKubeconfig(controlPlane, proxy.url);
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  const [gatePort, callbacksPort] = [await findLastingPort(), await findLastingPort()];
  const callbacksUrl = `https://127.0.0.1:${callbacksPort}`;
  const scenes = new Map<string, Scene>();

  const applications = await startFakeApplications({
    addresses: ADDRESSES,
    async credentialsOf(namespace, application) {
      const ref = {
        resource: { apiVersion: 'v1', plural: 'secrets' },
        namespace,
        name: secretName(application),
      };
      return credentialsIn((await admin.get<KubeObject & { data?: Record<string, string> }>(ref)) ?? {});
    },
    record(event) {
      if ('namespace' in event) scenes.get(event.namespace)?.record(event);
    },
  });

  const admission = await startService(controlPlane, {
    parts: ['admission'],
    set: { 'callbacks.externalEndpoint': callbacksUrl },
  });
  let service: ServiceProcess | undefined;
  const outputs: string[] = [];

  /** Who was killed does not release its lease; waiting for its end is another test's. */
  async function forgetLeader(): Promise<void> {
    const lease = { resource: LEASES, namespace: SYSTEM, name: 'krake-hooks-controller' };
    const found = await admin.get(lease);
    if (found?.metadata.uid !== undefined) await admin.delete(lease, { uid: found.metadata.uid });
  }

  async function ensureService(): Promise<void> {
    if (service?.process.exitCode === null && service.process.signalCode === null) return;
    if (service !== undefined) outputs.push(service.output());
    await forgetLeader();
    service = await startService(controlPlane, {
      parts: ['controller', 'gate', 'callbacks'],
      kubeconfig: proxied,
      set: {
        'gate.port': String(gatePort),
        'callbacks.port': String(callbacksPort),
        'callbacks.externalEndpoint': callbacksUrl,
        'outbound.allowCidrs': '127.0.20.0/24',
        logLevel: 'debug',
        ...options.set,
      },
      execArgv: options.execArgv ?? [],
    });
    await service.untilReady();
  }

  await admission.untilReady();
  await pointWebhooksAt(controlPlane, admission.admissionPort, gatePort);
  await ensureService();

  return {
    controlPlane,
    admin,
    proxy,
    applications,
    ensureService,
    killService: () => void service?.process.kill('SIGKILL'),
    async untilKilled() {
      await service?.end('SIGKILL');
    },
    async scene() {
      const namespace = `crash-${randomBytes(3).toString('hex')}`;
      const labels = { 'hooks.krake.dev/enabled': 'true' };
      await admin.create(NAMESPACES, undefined, { metadata: { name: namespace, labels } });
      const scene = await createScene(
        namespace,
        { controlPlane, admin, applications, callbacksUrl },
        options,
      );
      scenes.set(namespace, scene);
      return scene;
    },
    output: () => [...outputs.slice(-1), service?.output() ?? ''].join('\n--- killed ---\n').slice(-20_000),
    async stop() {
      await service?.end('SIGKILL');
      await admission.end('SIGKILL');
      for (const scene of scenes.values()) scene.stop();
      await applications.stop();
      await proxy.stop();
      admin.close();
      await controlPlane.stop();
    },
  };
}

interface SceneDeps extends Pick<CrashSetting, 'controlPlane' | 'admin' | 'applications'> {
  readonly callbacksUrl: string;
}

async function createScene(
  namespace: string,
  { controlPlane, admin, applications, callbacksUrl }: SceneDeps,
  { recording }: CrashSettingOptions,
): Promise<Scene> {
  const history: HistoryEvent[] = [];
  let lastMs = performance.now();
  const record = (event: HistoryEvent) => {
    history.push(event);
    lastMs = performance.now();
  };
  const recorder: ObjectRecorder = await recordObjects(controlPlane, namespace, record, recording);
  const podsOf = async (labelSelector?: string) => [
    ...(await admin.list(WORKLOAD_KINDS.Pod, namespace, labelSelector === undefined ? {} : { labelSelector }))
      .items,
  ];

  const scene: Scene = {
    namespace,
    callPort: applications.port,
    history,
    record,
    async deploy(name, { replicas, annotations = {} }) {
      const application = `deployment-${name}`;
      await admin.create(WORKLOAD_KINDS.Deployment, namespace, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: {
          name,
          annotations: {
            'hooks.krake.dev/hooks': 'shutdown',
            'hooks.krake.dev/shutdown-service': `pod:${applications.port}${PATH}`,
            ...annotations,
          },
        },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: 'app', image: 'example.invalid/app' }] },
          },
        },
      });
      const pods = await waitFor(
        `${replicas} pods of ${name}`,
        async () => {
          const found = await podsOf(`${LABEL_APPLICATION}=${application}`);
          return found.length === replicas ? found : undefined;
        },
        SOON,
      );
      for (const [i, pod] of pods.entries()) await run(pod, ADDRESSES[i] ?? '');
      await waitFor(
        `${application} to run, with its finalizers`,
        async () => {
          const app = await scene.application(application);
          const workload = await admin.get({ resource: WORKLOAD_KINDS.Deployment, namespace, name });
          const held = [app, workload].every((object) =>
            object?.metadata.finalizers?.includes(FINALIZER_SHUTDOWN),
          );
          return held && app?.status?.phase === 'Running' ? true : undefined;
        },
        SOON,
      );
      return { application, pods };
    },
    pods: () => podsOf(),
    application: (name) => admin.get<Application>({ resource: APPLICATIONS, namespace, name }),
    kubectl: (...args) => controlPlane.kubectl(['-n', namespace, ...args], { allowFailure: true }),
    create: (path, object) =>
      controlPlane.kubectl(['create', '--raw', path, '-f', '-'], {
        input: JSON.stringify(object),
        allowFailure: true,
      }),
    tell: () => tellHistory(history),
    async untilQuiet() {
      await waitFor(
        'quiet',
        () => Promise.resolve(performance.now() - lastMs > QUIET_MS ? true : undefined),
        { timeoutMs: 30_000, intervalMs: 50 },
      );
      await recorder.settled();
    },
    async sayGoodbyes({ application: of, pods }) {
      const url = callbackUrl(callbacksUrl, namespace, of, 'shutdown');
      await Promise.all(
        pods.map((_pod, i) => applications.sayGoodbye(ADDRESSES[i] ?? '', { namespace, name: of, url })),
      );
    },
    stop: () => recorder.stop(),
  };

  async function run(pod: KubeObject, address: string): Promise<void> {
    const { name = '', uid = '' } = pod.metadata;
    applications.settle(address, { uid, name });
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }] };
    const ref = { resource: WORKLOAD_KINDS.Pod, namespace, name, subresource: 'status' } as const;
    await admin.patch(ref, { type: 'merge', body: { status } });
  }
  return scene;
}

async function proxiedKubeconfig(controlPlane: ControlPlane, url: string): Promise<string> {
  const config = JSON.parse(await readFile(controlPlane.kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string | boolean> }[];
  };
  const [first] = config.clusters;
  // Without TLS, which client-node wants to hear twice.
  if (first !== undefined) first.cluster = { server: url, 'insecure-skip-tls-verify': true };
  const path = join(controlPlane.dir, 'proxied.kubeconfig');
  await writeFile(path, JSON.stringify(config));
  return path;
}
