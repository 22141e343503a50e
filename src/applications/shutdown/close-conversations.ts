import { letsGo, type Conversation } from '../conversation.ts';
import { timestamp } from '../next-status.ts';
import type { PlanTime } from '../situation.ts';
import { isOpen, type Draft, type ShutdownSituation } from './draft.ts';
import { isInhabited } from './live-pod.ts';
import { migrated } from './shutdown-events.ts';

/** So many that have done their work are kept, for answers to repeated goodbyes, */
const MAX_LINGERING = 16;
/** and for so long at most: a goodbye of those that come after is one of their own. */
const LINGERING_MS = 60_000;

/**
 * Forgets conversations that have done their work: their pods are gone, or the answer to one that was cancelled is too late by now. One of the
 * service form lingers until its deadline, a minute at most: an application that has not heard its 200 says goodbye again, and that must not be taken for
 * another goodbye, which nobody has asked for.
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
  const lingering = done.filter((conversation) => lingers(conversation, s)).slice(-MAX_LINGERING);
  const kept = conversations.filter(
    (conversation) => !done.includes(conversation) || lingering.includes(conversation),
  );
  conversations.splice(0, conversations.length, ...kept);
}

function lingers(conversation: Conversation, s: ShutdownSituation): boolean {
  const { form, outcome } = conversation;
  return form === 'service' && outcome !== 'cancelled' && lingeringMs(conversation, s) > 0;
}

/** How much longer one that has done its work is kept. Set back, the clock does not prolong it. */
export function lingeringMs(conversation: Conversation, s: PlanTime): number {
  const sinceMs = s.now - Date.parse(conversation.doneAt ?? timestamp(s.now));
  return Math.min(s.remainingMs(conversation), LINGERING_MS - Math.abs(sinceMs));
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
