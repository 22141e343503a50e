import { setTimeout as sleep } from 'node:timers/promises';
import { createKubeClient, createReflector, type FullKubeClient } from '../src/kube/index.ts';
import { APPLICATIONS, type Application } from '../src/applications/index.ts';
import { FINALIZER_SHUTDOWN, LABEL_APPLICATION, WORKLOAD_KINDS } from '../src/contract/index.ts';
import { createLogger } from '../src/observability/index.ts';
import { startControlPlane, type ControlPlane } from '../test/cluster/control-plane.ts';
import { eventually } from '../test/e2e/eventually.ts';
import { buildWorkload } from '../test/integration/applications-workloads.ts';
import { startGoodbyeServer, type GoodbyeServer, type Manners } from '../test/integration/goodbye-server.ts';
import { applyManifests, startService, type ServiceProcess } from '../test/integration/service.ts';
import { inParallel } from './many-deployments.ts';

export const NAMESPACE = 'crowd';
const ANNOTATION = 'hooks.krake.dev';

/**
 * ReplicaSets with a pod each on a real API server, the controller and the callbacks as processes. None of Kubernetes' own controllers runs, so
 * that what is measured is ours: the pods are made here, and taken away here when their ReplicaSet has gone.
 */
export interface Crowd {
  readonly controlPlane: ControlPlane;
  readonly client: FullKubeClient;
  readonly services: GoodbyeServer;
  /** When each ReplicaSet was gone, by name, on the clock of performance.now. */
  readonly goneAt: ReadonlyMap<string, number>;
  controller(): ServiceProcess;
  /** Another one in its place. */
  startController(set?: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves when all of them run and are held. */
  add(names: readonly string[]): Promise<void>;
  delete(names: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** When an application was asked and has said goodbye, on the clock of performance.now. */
export interface Asked {
  readonly application: string;
  readonly askedAtMs: number;
  goodbye: { readonly answeredAtMs: number } | undefined;
}

/** From each goodbye's answer until the ReplicaSet was gone. */
export function reactions(
  { goneAt }: Crowd,
  names: readonly string[],
  conversations: readonly Asked[],
): number[] {
  const saidAt = new Map(
    conversations.map(({ application, goodbye }) => [application, goodbye?.answeredAtMs] as const),
  );
  return names.map(
    (name) => (goneAt.get(name) ?? Number.NaN) - (saidAt.get(`replicaset-${name}`) ?? Number.NaN),
  );
}

export async function untilGone(
  { goneAt }: Crowd,
  names: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!names.every((name) => goneAt.has(name))) {
    if (performance.now() > deadline)
      throw new Error(`${names.filter((name) => !goneAt.has(name)).length} are still there`);
    await sleep(2);
  }
}

export async function startCrowd(mannersOf: (name: string) => Manners): Promise<Crowd> {
  const controlPlane = await startControlPlane({
    extraControllerManagerArgs: ['--controllers=serviceaccount-controller,serviceaccount-token-controller'],
  });
  const ended = new AbortController();
  await applyManifests(controlPlane);
  // Nothing answers them here.
  for (const kind of [
    'mutatingwebhookconfigurations',
    'validatingwebhookconfigurations',
    'validatingadmissionpolicybindings',
  ])
    await controlPlane.kubectl(['delete', kind, '--all']);
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'bench/0' });
  const services = await startGoodbyeServer(client, (application) =>
    mannersOf(application.replace('replicaset-', '')),
  );
  const callbacks = await startService(controlPlane, { parts: ['callbacks'], set: { logLevel: 'error' } });

  const goneAt = new Map<string, number>();
  const podOf = new Map<string, string>();
  const deletePod = async (name: string): Promise<void> => {
    const ref = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name };
    await client.delete(ref, { uid: podOf.get(name) ?? '' }).catch(() => false);
  };
  const watch = createReflector<{ readonly name: string }>({
    client,
    resource: WORKLOAD_KINDS.ReplicaSet,
    namespace: NAMESPACE,
    metadataOnly: true,
    project: ({ metadata }) => ({ name: metadata.name ?? '' }),
    onChange(_key, before, after) {
      if (before === undefined || after !== undefined) return;
      goneAt.set(before.name, performance.now());
      void deletePod(before.name);
    },
    logger: createLogger({ level: 'error' }),
  });
  await watch.start(ended.signal);
  let controller: ServiceProcess | undefined;

  const addOne = async (name: string): Promise<void> => {
    const annotations = {
      [`${ANNOTATION}/shutdown-service`]: `pod:${services.port}/shutdown`,
      [`${ANNOTATION}/shutdown-timeout`]: '10m',
    };
    const object = buildWorkload('ReplicaSet', name, NAMESPACE, { hooks: 'shutdown', annotations });
    const { metadata } = await client.create(WORKLOAD_KINDS.ReplicaSet, NAMESPACE, object);
    const pod = await client.create(WORKLOAD_KINDS.Pod, NAMESPACE, podFor(name, metadata.uid ?? ''));
    podOf.set(name, pod.metadata.uid ?? '');
    await client.patch(
      { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name, subresource: 'status' },
      { type: 'merge', body: { status: running } },
    );
  };

  return {
    controlPlane,
    client,
    services,
    goneAt,
    controller() {
      if (controller === undefined) throw new Error('no controller was started');
      return controller;
    },
    async startController(set = {}) {
      await controller?.end('SIGTERM');
      controller = await startService(controlPlane, {
        parts: ['controller'],
        set: {
          'callbacks.externalEndpoint': `https://127.0.0.1:${callbacks.callbacksPort}`,
          'outbound.allowCidrs': '127.0.0.0/8',
          // As installed: on a busy machine the leader must not change in the middle.
          ...{
            'controller.leaseDuration': '15s',
            'controller.renewDeadline': '10s',
            'controller.retryPeriod': '2s',
          },
          ...{ logLevel: 'error' },
          ...set,
        },
      });
      await controller.untilReady(120_000);
      // Not before: the authority of the certificates that they ask for is the controller's.
      await callbacks.untilReady();
    },
    async add(names) {
      await inParallel(names.length, 16, (i) => addOne(names[i] ?? ''));
      const wanted = new Set(names.map((name) => `replicaset-${name}`));
      await eventually(
        `${names.length} applications to be held`,
        async () => {
          const { items } = await client.list<Application>(APPLICATIONS, NAMESPACE, { timeoutMs: 60_000 });
          const held = items.filter(
            ({ metadata, status }) =>
              wanted.has(metadata.name) &&
              status?.phase === 'Running' &&
              metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true,
          );
          if (held.length < names.length) return undefined;
          const workloads = await client.list(WORKLOAD_KINDS.ReplicaSet, NAMESPACE, { metadataOnly: true });
          const isHeld = workloads.items.every(({ metadata }) =>
            metadata.finalizers?.includes(FINALIZER_SHUTDOWN),
          );
          return isHeld || undefined;
        },
        300_000,
      );
      await services.learnCredentials(NAMESPACE);
    },
    async delete(names) {
      const { items } = await client.list(WORKLOAD_KINDS.ReplicaSet, NAMESPACE, { metadataOnly: true });
      const uids = new Map(items.map(({ metadata }) => [metadata.name ?? '', metadata.uid ?? '']));
      await inParallel(names.length, 16, async (i) => {
        const name = names[i] ?? '';
        const ref = { resource: WORKLOAD_KINDS.ReplicaSet, namespace: NAMESPACE, name };
        await client.delete(ref, { uid: uids.get(name) ?? '', propagationPolicy: 'Background' });
      });
    },
    async stop() {
      ended.abort();
      await controller?.end('SIGKILL');
      await callbacks.end('SIGKILL');
      await services.stop();
      await watch.stop();
      client.close();
      await controlPlane.stop();
    },
  };
}

const running = { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] };

function podFor(name: string, uid: string): object {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid, controller: true };
  return {
    metadata: {
      name,
      labels: { app: name, [LABEL_APPLICATION]: `replicaset-${name}` },
      annotations: { [`${ANNOTATION}/hooks`]: 'shutdown' },
      ownerReferences: [owner],
    },
    spec: { containers: [{ name: 'app', image: 'example.invalid/app' }] },
  };
}
