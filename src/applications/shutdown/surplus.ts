import { WORKLOAD_KINDS } from '../../contract/index.ts';
import type { KubeClient } from '../../kube/index.ts';
import type { ShutdownStatus } from '../conversation.ts';
import type { WorkloadObject } from '../live-workload.ts';
import type { LivePod } from './live-pod.ts';

// A ReplicaSet that was refused tries again within milliseconds, and may then choose another of its pods: each of them would be asked, and more
// would go than are too many. So no more are taken up than it has too many of; those that it does not need to lose are forgotten.

/** How many pods an owner wants, by its UID. */
export type DesiredReplicas = ReadonlyMap<string, number>;

/** Reads the owners of the pods that were refused for a scale-down. */
export async function readDesired(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  shutdown: ShutdownStatus | undefined,
  pods: readonly LivePod[],
  signal: AbortSignal,
): Promise<DesiredReplicas> {
  const owners = new Map(
    pods
      .filter(({ uid }) => shutdown?.going[uid]?.cause === 'scale-down')
      .flatMap(({ owner }) => (owner === undefined ? [] : [[owner.uid, owner] as const])),
  );
  const desired = await Promise.all(
    [...owners.values()].map(async ({ kind, name, uid }) => {
      const ref = { resource: WORKLOAD_KINDS[kind], namespace, name };
      const found = await client.get<WorkloadObject>(ref, { signal });
      return found?.metadata.uid === uid ? ([uid, found.spec?.replicas ?? 1] as const) : undefined;
    }),
  );
  return new Map(desired.filter((entry) => entry !== undefined));
}

/**
 * Those of the pods that may be taken up, the first that were named first.
 *
 * @param pods that are there and that no conversation is about yet
 * @param isSpokenFor whether a conversation is about the pod, or has let it go
 */
export function withinSurplus(
  pods: readonly LivePod[],
  all: readonly LivePod[],
  { going }: Pick<ShutdownStatus, 'going'>,
  desired: DesiredReplicas,
  isSpokenFor: (uid: string) => boolean,
): LivePod[] {
  const left = new Map<string, number>();
  for (const [ownerUid, replicas] of desired) {
    const active = all.filter(
      ({ owner, deleting, finished }) => owner?.uid === ownerUid && !deleting && !finished,
    );
    left.set(ownerUid, active.length - replicas - active.filter(({ uid }) => isSpokenFor(uid)).length);
  }
  const byTime = [...pods].sort((a, b) => compare(going[a.uid]?.requestedAt, going[b.uid]?.requestedAt));
  return byTime.filter((pod) => {
    const ownerUid = pod.owner?.uid ?? '';
    const more = left.get(ownerUid);
    if (going[pod.uid]?.cause !== 'scale-down' || more === undefined) return true;
    left.set(ownerUid, more - 1);
    return more > 0;
  });
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
