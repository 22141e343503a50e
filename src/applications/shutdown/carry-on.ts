import { isConfirmed, type Ask, type Conversation, type ConversationPod } from '../conversation.ts';
import { timestamp } from '../next-status.ts';
import { callKey } from './conversation-calls.ts';
import {
  areComplete,
  endAsComplete,
  endConversation,
  isOpen,
  openRound,
  startAttempt,
  type Draft,
  type ShutdownSituation,
} from './draft.ts';
import type { LivePod } from './live-pod.ts';
import { asked, callFailed, gaveUp } from './shutdown-events.ts';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;
const MAX_ERROR_LENGTH = 256;

/** Takes every conversation that has not ended as far as it gets now: answers, goodbyes, deadlines, further attempts. */
export function carryOn(draft: Draft, s: ShutdownSituation): void {
  for (const conversation of draft.shutdown.conversations) {
    if (!isOpen(conversation)) continue;
    if (isConfirmed(conversation)) endConversation(draft, s, conversation, 'confirmed');
    else if (awaitedPods(conversation, s).length === 0)
      endConversation(draft, s, conversation, goneOutcome(conversation));
    else if (conversation.givenUpAt === undefined) awaitGoodbye(draft, s, conversation);
  }
}

/** The signal that it is complete says more than the goodbye. */
export function endByCompletion(draft: Draft, s: ShutdownSituation): void {
  for (const conversation of draft.shutdown.conversations.filter(isOpen))
    if (areComplete(awaitedPods(conversation, s), s)) endAsComplete(draft, s, conversation);
}

function awaitGoodbye(draft: Draft, s: ShutdownSituation, conversation: Conversation): void {
  if (s.remainingMs(conversation) <= 0) {
    if (conversation.round > s.spec.retries) {
      endUnheard(draft, s, conversation);
      return;
    }
    openRound(draft, s, conversation);
  }
  if (conversation.form === 'service') {
    ask(draft, s, conversation, conversation);
    return;
  }
  for (const pod of conversation.pods) {
    if (pod.confirmation === undefined && isThere(s, pod)) ask(draft, s, conversation, pod, pod);
  }
}

function endUnheard(draft: Draft, s: ShutdownSituation, conversation: Conversation): void {
  if (s.spec.failure === 'delete') {
    endConversation(draft, s, conversation, 'timed-out');
    return;
  }
  conversation.givenUpAt = timestamp(s.now);
  draft.events.push(gaveUp(conversation, s));
}

/** Makes the first attempt, takes the end of one in, or makes the next. */
function ask(
  draft: Draft,
  s: ShutdownSituation,
  conversation: Conversation,
  target: { ask?: Ask | undefined },
  pod?: ConversationPod,
): void {
  const before = target.ask;
  if (before === undefined) {
    startAttempt(draft, s, conversation, target, pod);
    return;
  }
  if (before.acceptedAt !== undefined) return;
  if (before.nextAttemptAt !== undefined) {
    if (isDue(s, before.nextAttemptAt)) startAttempt(draft, s, conversation, target, pod);
    return;
  }
  const key = callKey(conversation, before.attempts, pod?.uid);
  // Begun in this very pass, as a person has requested; it is made once it is stored.
  if (draft.calls.some((call) => call.key === key)) return;
  const end = s.view.calls.get(key);
  if (end === 'under-way') return;
  if (end === undefined) {
    // The process that began it is gone. Whether the application was asked is not known, so it is asked again, and that is seen.
    startAttempt(draft, s, conversation, target, pod);
  } else if (end.accepted) {
    target.ask = { attempts: before.attempts, attemptedAt: before.attemptedAt, acceptedAt: timestamp(s.now) };
    draft.events.push(asked(conversation, before.attempts, s, pod));
  } else {
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, before.attempts - 1));
    const lastError = end.error.slice(0, MAX_ERROR_LENGTH).toWellFormed();
    target.ask = { ...before, lastError, nextAttemptAt: timestamp(s.now + delayMs) };
    draft.events.push(callFailed(conversation, target.ask, s, pod));
  }
}

/** Set back, the clock must not put the next attempt off by more than it would ever wait. */
function isDue(s: ShutdownSituation, nextAttemptAt: string): boolean {
  const waitMs = Date.parse(nextAttemptAt) - s.now;
  return waitMs <= 0 || waitMs > LONGEST_RETRY_MS;
}

/** Those whose goodbye is worth waiting for. A pod that has gone without one needs none any more, and never counts as one. */
function awaitedPods({ scope, form, pods }: Conversation, s: ShutdownSituation): readonly LivePod[] {
  if (scope === 'application' && form === 'service') return s.inhabitants;
  const awaited = form === 'service' ? pods : pods.filter(({ confirmation }) => confirmation === undefined);
  const uids = new Set(awaited.map(({ uid }) => uid));
  return s.inhabitants.filter(({ uid }) => uids.has(uid));
}

function goneOutcome(conversation: Conversation): 'confirmed' | 'pods-gone' {
  return conversation.pods.some(({ confirmation }) => confirmation !== undefined) ? 'confirmed' : 'pods-gone';
}

function isThere(s: ShutdownSituation, { uid }: ConversationPod): boolean {
  return s.inhabitants.some((pod) => pod.uid === uid);
}
