import { isMoving, letsGo, type Conversation } from '../conversation.ts';
import { timestamp } from '../next-status.ts';
import type { Draft, ShutdownSituation } from './draft.ts';
import { unmoved } from './plan-effects.ts';
import { removalRefused } from './shutdown-events.ts';

const MAX_ERROR_LENGTH = 256;

/** What came of the effects and has to be known later. */
export function noteEffects(draft: Draft, s: ShutdownSituation): void {
  for (const conversation of draft.shutdown.conversations.filter(letsGo)) {
    noteMove(s, conversation);
    noteRefusal(draft, s, conversation);
  }
}

function noteMove(s: ShutdownSituation, conversation: Conversation): void {
  const { nodeSelector = {}, movedAt } = conversation;
  if (!isMoving(conversation) || movedAt !== undefined || Object.keys(nodeSelector).length === 0) return;
  if (unmoved(s, nodeSelector).length === 0) conversation.movedAt = timestamp(s.now);
}

/** Said once, however often it is tried; of the next pod when this one is gone. */
function noteRefusal(draft: Draft, s: ShutdownSituation, { pods }: Conversation): void {
  const { refused = new Map<string, string>() } = s.view;
  const there = new Set(s.pods.map(({ uid }) => uid));
  if (
    refused.size === 0 ||
    pods.some(({ uid, removalError }) => removalError !== undefined && there.has(uid))
  )
    return;
  const pod = pods.find(({ uid }) => refused.has(uid));
  if (pod === undefined) return;
  pod.removalError = (refused.get(pod.uid) ?? '').slice(0, MAX_ERROR_LENGTH).toWellFormed();
  draft.events.push(removalRefused(pod, s));
}
