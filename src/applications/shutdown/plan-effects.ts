import { isFreeToGo, isMoving, letsGo, type Conversation } from '../conversation.ts';
import type { RemovablePod, Step } from '../application-view.ts';
import type { LiveWorkload } from '../live-workload.ts';
import { requestOf } from './answer-request.ts';
import type { ShutdownSituation } from './draft.ts';
import { podRemoved } from './shutdown-events.ts';

/** A removal that was refused, as by a PodDisruptionBudget, is tried again after this time, as kubectl drain does. */
const REMOVAL_RETRY_MS = 5_000;
/** That a pod runs again stands in its status, which no watch shows. */
const SUCCESSORS_AGAIN_MS = 2_000;
/** An heir shows itself within a moment; one that never does must not hold its former owner for ever. */
const HEIRS_WAIT_MS = 30_000;
/** So many pods are removed before the plan is looked at again. */
const MAX_REMOVED_AT_ONCE = 100;

/** What the conversations allow by now: the workload goes, the application moves, refused pods are removed. */
export function planEffects(s: ShutdownSituation): Step | undefined {
  return dropRequest(s) ?? releaseWorkload(s) ?? move(s) ?? removePods(s);
}

function dropRequest(s: ShutdownSituation): Step | undefined {
  const request = requestOf(s);
  return request !== undefined && s.status.shutdown?.handledRequest !== undefined
    ? { do: 'drop-request', request }
    : undefined;
}

/** A workload that is being deleted is held until none of its pods has anything left to save. */
function releaseWorkload(s: ShutdownSituation): Step | undefined {
  const workload = s.live.workloads.find(
    (candidate) =>
      candidate.held && candidate.deleting && !s.view.tried.has(candidate.ref.uid) && mayGo(s, candidate),
  );
  return workload && { do: 'release-workload', workload };
}

function mayGo(s: ShutdownSituation, workload: LiveWorkload): boolean {
  if (s.completing || !s.spec.causes.includes('deletion')) return true;
  // Its dependents are still being let go; once they are, they are workloads of the application themselves.
  if (workload.orphaning || (areHeirsUnknown(s) && s.now < workload.deletedAtMs + HEIRS_WAIT_MS))
    return false;
  const { conversations = [] } = s.status.shutdown ?? {};
  const isAll = s.view.namespaceState === 'terminating';
  const theirs = s.inhabitants.filter(({ rootUid }) => isAll || rootUid === workload.ref.uid);
  return theirs.every(({ uid }) => isFreeToGo(conversations, uid));
}

/**
 * An orphaning deletion leaves ReplicaSets or pods that go on as the application: the token must speak of them before their former owner
 * goes, or they would begin anew, with a token that they don't have.
 */
function areHeirsUnknown(s: ShutdownSituation): boolean {
  if (s.view.namespaceState === 'terminating') return false;
  return s.inhabitants.some(({ rootUid }) => rootUid !== undefined && !s.bound.has(rootUid));
}

/** The template first, so that the pods come back where they are to. */
function move(s: ShutdownSituation): Step | undefined {
  const moving = s.status.shutdown?.conversations.find(isMoving);
  // What a person takes out afterwards stays out.
  if (moving === undefined || moving.movedAt !== undefined) return undefined;
  const { nodeSelector = {} } = moving;
  const workload = unmoved(s, nodeSelector).find(({ ref }) => !s.view.tried.has(ref.uid));
  return workload && { do: 'move-workload', workload, nodeSelector };
}

/** Workloads whose pod template lacks the node selector. */
export function unmoved(
  { asking }: Pick<ShutdownSituation, 'asking'>,
  nodeSelector: Readonly<Record<string, string>>,
): LiveWorkload[] {
  const wanted = Object.entries(nodeSelector);
  return asking.filter(
    (workload) => !workload.deleting && wanted.some(([key, value]) => workload.nodeSelector[key] !== value),
  );
}

/** What was asked for and refused is carried out: Kubernetes' own controllers try again later and later. */
function removePods(s: ShutdownSituation): Step | undefined {
  const pods = toRemove(s)
    .filter(({ uid }) => !s.view.tried.has(uid))
    .slice(0, MAX_REMOVED_AT_ONCE);
  if (pods.length === 0) return undefined;
  return { do: 'remove-pods', pods, events: pods.map((pod) => podRemoved(pod, s)) };
}

/** Pods that may go, that somebody wanted to remove, and that are not on their way out yet. */
function toRemove(s: ShutdownSituation): RemovablePod[] {
  const present = new Set(s.pods.filter(({ deleting }) => !deleting).map(({ uid }) => uid));
  return (s.status.shutdown?.conversations ?? [])
    .filter(letsGo)
    .flatMap((conversation) => removable(conversation, s))
    .filter(({ uid }) => present.has(uid));
}

/** When what could not be done now is tried again by itself (ms since 1970): nothing that is watched may tell when it can. */
export function effectsWakeUp(s: ShutdownSituation): number[] {
  const conversations = s.status.shutdown?.conversations ?? [];
  const retryAt = [
    ...(toRemove(s).length > 0 ? [s.now + REMOVAL_RETRY_MS] : []),
    ...(conversations.some(isMoving) ? [s.now + SUCCESSORS_AGAIN_MS] : []),
  ];
  if (!areHeirsUnknown(s)) return retryAt;
  const heirsBy = s.live.workloads
    .filter(({ held, deleting, orphaning }) => held && deleting && !orphaning)
    .map(({ deletedAtMs }) => deletedAtMs + HEIRS_WAIT_MS)
    .filter((time) => time > s.now);
  return [...heirsBy, ...retryAt];
}

/**
 * Those that somebody wanted to remove. All of an application that moves, unless a rollout does it, and all in a namespace that goes: its
 * controller deletes pods in one go and ends at the first that is refused, so those behind it would wait for another application's goodbye.
 */
function removable({ pods, reason, nodeSelector }: Conversation, s: ShutdownSituation): RemovablePod[] {
  const isRolledOut =
    nodeSelector !== undefined &&
    Object.keys(nodeSelector).length > 0 &&
    s.asking.every(({ ref }) => ref.kind === 'Deployment');
  const isAll = (reason === 'requested' && !isRolledOut) || s.view.namespaceState === 'terminating';
  return pods.flatMap((pod) => {
    const cause = pod.cause ?? (isAll ? 'deletion' : undefined);
    return cause === undefined ? [] : [{ ...pod, cause }];
  });
}
