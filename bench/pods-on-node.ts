import { setTimeout as sleep } from 'node:timers/promises';
import { ANNOTATION_HOOKS, ANNOTATION_SHUTDOWN_ON, WORKLOAD_KINDS } from '../src/contract/index.ts';
import { createKubeClient, createReflector, type KubeObject } from '../src/kube/index.ts';
import { createLogger } from '../src/observability/index.ts';
import type { Cluster } from '../test/cluster/cluster.ts';
import { waitFor } from '../test/cluster/wait-for.ts';
import { eventually } from '../test/e2e/eventually.ts';
import { createNamespace, removeNamespace } from '../test/e2e/namespace.ts';
import { nodePod } from '../test/e2e/node-pod.ts';

const NAME = 'web';
/** Longer than anybody waits here: a container that does not end by itself is an error, not a slow deletion. */
const GRACE_SECONDS = 60;
const GONE_WITHIN_MS = 30_000;
/** The kubelet's loop looks so often for pods whose containers have ended, so a pod is gone soon after one of these moments. */
const KUBELET_PERIOD_MS = 1_000;
/** Ready only when it listens for SIGTERM, too: before that a process of number 1 is deaf to it. */
const PROGRAM = `
  import { createServer } from 'node:http';
  process.on('SIGTERM', () => process.exit(0));
  createServer((_, response) => response.end()).listen(8080);
`;

interface Pod {
  readonly name: string;
  readonly uid: string;
  readonly isReady: boolean;
}

/** When a pod's deletion was accepted and when the pod was gone, in ms since it was asked for. */
export interface Deletion {
  readonly acceptedMs: number;
  readonly goneMs: number;
}

/** Pods of a Deployment on a real node. They have the hook `shutdown`, but a deletion is not among the causes before which they are asked. */
export interface PodsOnNode {
  /** All replicas are ready, and no other pod is there any more. */
  untilComplete(): Promise<void>;
  /**
   * Deletes the oldest. `phase`, from 0 to 1, is the moment of the kubelet's period at which it does: evenly spread over all of it, what the kubelet
   * lets a pod wait is the same whatever is measured.
   */
  deleteOne(phase: number): Promise<Deletion>;
  stop(): Promise<void>;
}

export async function startPodsOnNode(
  cluster: Cluster,
  namespace: string,
  replicas: number,
): Promise<PodsOnNode> {
  const home = await createNamespace(cluster, namespace);
  const client = createKubeClient({ kubeconfigPath: cluster.kubeconfig, userAgent: 'bench/0' });
  const goneAt = new Map<string, number>();
  let lastGoneAt = 0;
  const watch = createReflector<Pod>({
    client,
    resource: WORKLOAD_KINDS.Pod,
    namespace,
    project,
    onChange(_key, before, after) {
      if (before === undefined || after !== undefined) return;
      lastGoneAt = performance.now();
      goneAt.set(before.uid, lastGoneAt);
    },
    logger: createLogger({ level: 'error' }),
  });
  await watch.start(new AbortController().signal);
  await home.apply(files, deployment(replicas));
  return {
    async untilComplete() {
      await eventually(`${replicas} ready pods in ${namespace}`, () => {
        const pods = [...watch.store.values()];
        const isComplete = pods.length === replicas && pods.every(({ isReady }) => isReady);
        return Promise.resolve(isComplete || undefined);
      });
    },
    async deleteOne(phase) {
      const [pod] = watch.store.values();
      if (pod === undefined) throw new Error(`no pod in ${namespace}`);
      const { name, uid } = pod;
      await untilPhase(phase, lastGoneAt);
      const startedAt = performance.now();
      const ref = { resource: WORKLOAD_KINDS.Pod, namespace, name };
      if (!(await client.delete(ref, { uid }))) throw new Error(`${name} was gone already`);
      const acceptedMs = performance.now() - startedAt;
      const endedAt = await waitFor(`the end of ${name}`, () => goneAt.get(uid), {
        timeoutMs: GONE_WITHIN_MS,
      });
      return { acceptedMs, goneMs: endedAt - startedAt };
    },
    async stop() {
      await watch.stop();
      client.close();
      await removeNamespace(cluster, namespace);
    },
  };
}

async function untilPhase(phase: number, periodBegan: number): Promise<void> {
  const intoPeriodMs = (performance.now() - periodBegan) % KUBELET_PERIOD_MS;
  await sleep((phase * KUBELET_PERIOD_MS - intoPeriodMs + KUBELET_PERIOD_MS) % KUBELET_PERIOD_MS);
}

interface PodObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

function project({ metadata, status }: PodObject): Pod {
  const isReady = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    isReady: isReady && metadata.deletionTimestamp === undefined,
  };
}

const files = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: NAME },
  data: { 'web.mjs': PROGRAM },
};

function deployment(replicas: number): object {
  const labels = { app: NAME };
  const annotations = { [ANNOTATION_HOOKS]: 'shutdown', [ANNOTATION_SHUTDOWN_ON]: 'eviction' };
  const container = { name: NAME, program: 'web.mjs', readyAt: '/' };
  const spec = nodePod([container], { files: NAME, graceSeconds: GRACE_SECONDS });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME, annotations },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}
