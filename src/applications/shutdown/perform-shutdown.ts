import { ANNOTATION_REQUEST, FINALIZER_SHUTDOWN, WORKLOAD_KINDS } from '../../contract/index.ts';
import { KubeApiError, isNotFound, type KubeClient } from '../../kube/index.ts';
import type { Application } from '../application.ts';
import { isEvicted } from '../conversation.ts';
import { asRead } from '../as-read.ts';
import type { LiveWorkload } from '../live-workload.ts';
import type { RemovablePod } from '../application-view.ts';

type Client = Pick<KubeClient, 'create' | 'delete'>;

/** Requests to remove pods that are under way at once. */
const CONCURRENCY = 10;

/** What became of the pods. */
export interface Removal {
  readonly removed: ReadonlySet<string>;
  /** What cannot be done now, as an eviction that a budget does not allow, and what the API server says. */
  readonly refused: ReadonlyMap<string, KubeApiError>;
}

/** Takes our finalizer off a workload as it was read; a conflict is thrown. */
export async function releaseWorkload(
  client: Pick<KubeClient, 'patch'>,
  namespace: string,
  { ref, resourceVersion, finalizers }: LiveWorkload,
  signal: AbortSignal,
): Promise<void> {
  const workload = { resource: WORKLOAD_KINDS[ref.kind], namespace, name: ref.name };
  const left = finalizers.filter((finalizer) => finalizer !== FINALIZER_SHUTDOWN);
  const body = asRead(resourceVersion, [{ op: 'replace', path: '/metadata/finalizers', value: left }]);
  await client.patch(workload, { type: 'json', body }, { signal });
}

/** Lets the pods come back on other nodes: adds to the node selector of the pod template. */
export async function moveWorkload(
  client: Pick<KubeClient, 'patch'>,
  namespace: string,
  { ref, resourceVersion }: LiveWorkload,
  nodeSelector: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const workload = { resource: WORKLOAD_KINDS[ref.kind], namespace, name: ref.name };
  const body = {
    metadata: { uid: ref.uid, resourceVersion },
    spec: { template: { spec: { nodeSelector } } },
  };
  await client.patch(workload, { type: 'merge', body }, { signal });
}

/** Deletes or evicts each of the pods, by its UID. One that is gone, or is another one of that name, counts as removed. */
export async function removePods(
  client: Client,
  namespace: string,
  pods: readonly RemovablePod[],
  signal: AbortSignal,
): Promise<Removal> {
  const removed = new Set<string>();
  const refused = new Map<string, KubeApiError>();
  const waiting = [...pods];
  const worker = async (): Promise<void> => {
    for (let pod = waiting.shift(); pod !== undefined; pod = waiting.shift()) {
      const error = await removePod(client, namespace, pod, signal);
      if (error === undefined) removed.add(pod.uid);
      else refused.set(pod.uid, error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, pods.length) }, worker));
  return { removed, refused };
}

/** Returns why it cannot be done now. */
async function removePod(
  client: Client,
  namespace: string,
  pod: RemovablePod,
  signal: AbortSignal,
): Promise<KubeApiError | undefined> {
  const { name, uid } = pod;
  try {
    if (isEvicted(pod)) await evict(client, namespace, name, uid, signal);
    else await client.delete({ resource: WORKLOAD_KINDS.Pod, namespace, name }, { uid, signal });
    return undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    // Another UID by now, a budget that is used up, a gate that does not answer: the next look tells, and nothing else waits for it.
    if (error instanceof KubeApiError && isForNow(error.status)) return error;
    throw error;
  }
}

function isForNow(status: number): boolean {
  return status === 403 || status === 409 || status === 429 || status >= 500;
}

/** What was an eviction is one again, so that PodDisruptionBudgets count (policy/v1). */
async function evict(
  client: Client,
  namespace: string,
  name: string,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace },
    deleteOptions: { preconditions: { uid } },
  };
  const resource = { apiVersion: 'v1', plural: `pods/${encodeURIComponent(name)}/eviction` };
  await client.create(resource, namespace, eviction, { signal });
}

/** Puts our finalizer on an Application, or takes it off. */
export function withFinalizer(app: Application, wanted: boolean): Application {
  const others = (app.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER_SHUTDOWN);
  const finalizers = wanted ? [...others, FINALIZER_SHUTDOWN] : others;
  return { ...app, metadata: { ...app.metadata, finalizers } };
}

/** Without the person's request that was carried out; a newer one stays. */
export function withoutRequest(app: Application, request: string): Application {
  const kept = Object.entries(app.metadata.annotations ?? {}).filter(
    ([key, value]) => key !== ANNOTATION_REQUEST || value !== request,
  );
  const annotations = Object.fromEntries(kept);
  return { ...app, metadata: { ...app.metadata, annotations } };
}
