import { letsGo, type Conversation } from '../conversation.ts';
import { isOpen, type Draft, type ShutdownSituation } from './draft.ts';
import { isInhabited } from './live-pod.ts';
import { migrated } from './shutdown-events.ts';

/** Forgets conversations that have done their work: their pods are gone, or the answer to one that was cancelled is too late by now. */
export function closeConversations(draft: Draft, s: ShutdownSituation): void {
  const { conversations } = draft.shutdown;
  const kept = conversations.filter((conversation) => isOpen(conversation) || !isDone(conversation, s));
  for (const conversation of conversations)
    if (conversation.reason === 'requested' && letsGo(conversation) && !kept.includes(conversation))
      draft.events.push(migrated(conversation, s));
  conversations.splice(0, conversations.length, ...kept);
}

function isDone(conversation: Conversation, s: ShutdownSituation): boolean {
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
