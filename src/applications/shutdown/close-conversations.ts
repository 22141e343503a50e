import { isConfirmed, letsGo, MAX_CONVERSATION_PODS, type Conversation } from '../conversation.ts';
import { timestamp } from '../next-status.ts';
import type { PlanTime } from '../situation.ts';
import { isOpen, type Draft, type ShutdownSituation } from './draft.ts';
import { isInhabited } from './live-pod.ts';
import { migrated } from './shutdown-events.ts';

/** So many that have done their work are kept, for answers to goodbyes that come again, or too late, */
const MAX_LINGERING = 16;
/** and no more than of so many pods: an Application must stay small enough to be stored. The latest is kept in any case. */
const MAX_LINGERING_PODS = MAX_CONVERSATION_PODS;
/** A goodbye that was heard may come again so long after: one that comes later is one of their own of those that are there then. */
const HEARD_LINGERING_MS = 60_000;
/** One that was not heard may still come: for as long again as the round was, and so long at least. */
const UNHEARD_LINGERING_MS = 300_000;

/**
 * Forgets conversations that have done their work: their pods are gone, or the deadline of one that was cancelled has passed. One whose goodbye was
 * heard lingers until its deadline, a minute at most: an application that has not heard its 200 says goodbye again. One that has ended without it
 * lingers for longer: who was too slow, or was called off, says it late. Neither must be taken for a goodbye that nobody has asked for, upon which other
 * pods would go. (In the pod form a goodbye is that of its pod, which lives on only after a cancel.)
 */
export function closeConversations(draft: Draft, s: ShutdownSituation): void {
  const { conversations } = draft.shutdown;
  const done = conversations.filter((conversation) => !isOpen(conversation) && isDone(conversation, s));
  for (const conversation of done) {
    if (conversation.doneAt !== undefined) continue;
    if (conversation.reason === 'requested' && letsGo(conversation))
      draft.events.push(migrated(conversation, s));
    conversation.doneAt = timestamp(s.now);
    // Pods that come now are not meant.
    conversation.scope = 'pods';
  }
  const lingering = withinBounds(done.filter((conversation) => lingers(conversation, s)));
  const kept = conversations.filter(
    (conversation) => !done.includes(conversation) || lingering.includes(conversation),
  );
  conversations.splice(0, conversations.length, ...kept);
}

/** The latest of them. */
function withinBounds(lingering: readonly Conversation[]): readonly Conversation[] {
  let pods = 0;
  const latestFirst = lingering.slice(-MAX_LINGERING).reverse();
  return latestFirst.filter((conversation, index) => {
    pods += conversation.pods.length;
    return index === 0 || pods <= MAX_LINGERING_PODS;
  });
}

function lingers(conversation: Conversation, s: ShutdownSituation): boolean {
  const { form, outcome } = conversation;
  return (form === 'service' || outcome === 'cancelled') && lingeringMs(conversation, s) > 0;
}

/** How much longer one that has done its work is kept. Set back, the clock does not prolong it. */
export function lingeringMs(conversation: Conversation, s: PlanTime): number {
  const sinceMs = Math.abs(s.now - Date.parse(conversation.doneAt ?? timestamp(s.now)));
  if (wasHeard(conversation)) return Math.min(s.remainingMs(conversation), HEARD_LINGERING_MS - sinceMs);
  const roundMs = Date.parse(conversation.deadline) - Date.parse(conversation.roundStartedAt);
  return Math.max(UNHEARD_LINGERING_MS, roundMs) - sinceMs;
}

/** Also where a person has called it off afterwards. */
function wasHeard(conversation: Conversation): boolean {
  const { outcome } = conversation;
  return outcome === 'confirmed' || outcome === 'voluntary' || isConfirmed(conversation);
}

function isDone(conversation: Conversation, s: ShutdownSituation): boolean {
  if (conversation.doneAt !== undefined) return true;
  if (conversation.outcome === 'cancelled') return s.remainingMs(conversation) <= 0;
  const isPresent = conversation.pods.some(({ uid }) => s.pods.some((pod) => pod.uid === uid));
  if (isPresent) return false;
  if (conversation.reason === 'requested') return hasSuccessors(s);
  // While the application leaves, pods that come late may go too.
  return conversation.scope === 'pods' || s.pods.length === 0 || !isLeavingStill(s);
}

/** The pods have come back, or there are none to come. */
function hasSuccessors(s: ShutdownSituation): boolean {
  return s.pods.some(isInhabited) || s.asking.every(({ idle, deleting }) => idle || deleting);
}

function isLeavingStill(s: ShutdownSituation): boolean {
  return s.view.namespaceState === 'terminating' || s.asking.some(({ deleting }) => deleting);
}
