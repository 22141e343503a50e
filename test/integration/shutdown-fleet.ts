import {
  ANNOTATION_HOOKS,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { createKubeClient, type FullKubeClient, type KubeObject } from '../../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { startGoodbyeServer, type GoodbyeServer, type Manners } from './goodbye-server.ts';
import { applyManifests, pointWebhooksAt, startService, type ServiceProcess } from './service.ts';

// Many applications on a real control plane, the service as it is installed: the controller in a process of its own, with its usual limits.
// Nothing runs here, pods run as far as their status says so; all of them live at loopback, where one server of ours answers for them.

export const FLEET_NAMESPACE = 'fleet';
const AT_ONCE = 16;

export interface Fleet {
  readonly controlPlane: ControlPlane;
  readonly admin: FullKubeClient;
  readonly services: GoodbyeServer;
  readonly controller: ServiceProcess;
  /** Deployments of one pod that wants to be asked; resolves when all run and are held. */
  deploy(names: readonly string[]): Promise<void>;
  /** Deletes all Deployments, as kubectl does, and does not wait for their end. */
  deleteAll(): Promise<void>;
  list<T extends KubeObject = KubeObject>(resource: {
    apiVersion: string;
    plural: string;
  }): Promise<readonly T[]>;
  /** What the controller's metrics say of a counter, all of its series together. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startFleet(
  mannersOf: (application: string) => Manners,
  set: Readonly<Record<string, string>> = {},
): Promise<Fleet> {
  const controlPlane = await startControlPlane();
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  await applyManifests(controlPlane);
  const others = await startService(controlPlane, { parts: ['admission', 'gate', 'callbacks'] });
  const controller = await startService(controlPlane, {
    parts: ['controller'],
    set: {
      'callbacks.externalEndpoint': `https://127.0.0.1:${others.callbacksPort}`,
      'outbound.allowCidrs': '127.0.0.0/8',
      // As installed: a leader that is only slow stays one, and what it has begun is not begun again.
      ...{
        'controller.leaseDuration': '15s',
        'controller.renewDeadline': '10s',
        'controller.retryPeriod': '2s',
      },
      ...set,
    },
  });
  const services = await startGoodbyeServer(admin, mannersOf);
  await others.untilReady();
  await controller.untilReady();
  await pointWebhooksAt(controlPlane, others.admissionPort, others.gatePort);
  await controlPlane.kubectl(['create', 'namespace', FLEET_NAMESPACE]);
  await controlPlane.kubectl(['label', 'namespace', FLEET_NAMESPACE, 'hooks.krake.dev/enabled=true']);

  const list: Fleet['list'] = async <T extends KubeObject>(resource: {
    apiVersion: string;
    plural: string;
  }) => (await admin.list<T>(resource, FLEET_NAMESPACE, { timeoutMs: 60_000 })).items;
  const podsOf = async () =>
    (await list(WORKLOAD_KINDS.Pod)).filter(
      ({ metadata }) => metadata.labels?.[LABEL_APPLICATION] !== undefined,
    );

  return {
    controlPlane,
    admin,
    services,
    controller,
    list,
    async deploy(names) {
      const annotations = {
        [ANNOTATION_HOOKS]: 'shutdown',
        [ANNOTATION_SHUTDOWN_SERVICE]: `pod:${services.port}/shutdown`,
        [ANNOTATION_SHUTDOWN_TIMEOUT]: '5m',
      };
      await inParallel(names, (name) =>
        admin.create(WORKLOAD_KINDS.Deployment, FLEET_NAMESPACE, deploymentOf(name, annotations)),
      );
      const slow = { timeoutMs: 180_000, intervalMs: 250 };
      const pods = await waitFor(
        `${names.length} pods`,
        async () => {
          const found = await podsOf();
          return found.length === names.length ? found : undefined;
        },
        slow,
      );
      await inParallel(pods, ({ metadata: { name = '' } }) =>
        admin.patch(
          { resource: WORKLOAD_KINDS.Pod, namespace: FLEET_NAMESPACE, name, subresource: 'status' },
          { type: 'merge', body: { status: running } },
        ),
      );
      await waitFor(
        'all to run, and to be held',
        async () => {
          const workloads = await list(WORKLOAD_KINDS.Deployment);
          const applications = await list<Application>(APPLICATIONS);
          const isHeld = ({ metadata }: KubeObject) =>
            metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true;
          const are = workloads.every(isHeld) && applications.every(isHeld);
          return are &&
            applications.filter(({ status }) => status?.phase === 'Running').length === names.length
            ? true
            : undefined;
        },
        slow,
      );
      await services.learnCredentials(FLEET_NAMESPACE);
    },
    async deleteAll() {
      await inParallel(await list(WORKLOAD_KINDS.Deployment), ({ metadata: { name = '', uid = '' } }) =>
        admin.delete(
          { resource: WORKLOAD_KINDS.Deployment, namespace: FLEET_NAMESPACE, name },
          { uid, propagationPolicy: 'Background' },
        ),
      );
    },
    async metric(name) {
      const { text } = await controller.get('/metrics');
      return text
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    async stop() {
      await controller.end('SIGKILL');
      await others.end('SIGKILL');
      await services.stop();
      admin.close();
      await controlPlane.stop();
    },
  };
}

const running = { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] };

function deploymentOf(name: string, annotations: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'example.invalid/app' }] },
      },
    },
  };
}

/** Some at a time. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
