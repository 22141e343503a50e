import { parseShutdownService } from '../../contract/index.ts';
import type { PlannedEvent } from '../application-view.ts';
import type { ApplicationStatus } from '../application.ts';
import { isComplete } from '../complete-signal.ts';
import {
  isMoving,
  MAX_CONVERSATION_PODS,
  type Ask,
  type Conversation,
  type ConversationPod,
  type Outcome,
  type ShutdownSpec,
  type ShutdownStatus,
} from '../conversation.ts';
import { timestamp } from '../next-status.ts';
import type { Situation } from '../situation.ts';
import { callKey } from './conversation-calls.ts';
import { isInhabited, type LivePod } from './live-pod.ts';
import { conversationEnded, moveCancelled, retriedOpenly } from './shutdown-events.ts';

/** A call to be made once the draft is stored. */
export interface PlannedCall {
  readonly key: string;
  readonly conversation: Conversation;
  readonly attempt: number;
  /** The pod that is asked itself; undefined: the service. */
  readonly pod: LivePod | undefined;
}

/** The conversations as they should be next. Worked on in place, by one pass of the rules; stored in one write, before any call is made. */
export interface Draft {
  readonly shutdown: ShutdownStatus;
  signals: ApplicationStatus['signals'];
  readonly calls: PlannedCall[];
  readonly events: PlannedEvent[];
}

/** What the rules look at: a situation in which the hook is on and the pods were read live. */
export interface ShutdownSituation extends Situation {
  readonly spec: ShutdownSpec;
  readonly pods: readonly LivePod[];
  /** Pods that have something to save and are not on their way out. */
  readonly inhabitants: readonly LivePod[];
}

export const NO_CONVERSATION: ShutdownStatus = { sequence: 0, going: {}, conversations: [] };

export function withPods(s: Situation, spec: ShutdownSpec, pods: readonly LivePod[]): ShutdownSituation {
  return { ...s, spec, pods, inhabitants: pods.filter(isInhabited) };
}

export function createDraft(s: Situation): Draft {
  return {
    shutdown: copyOf(s.status.shutdown ?? NO_CONVERSATION),
    signals: s.status.signals && copyOf(s.status.signals),
    calls: [],
    events: [],
  };
}

/** It came as JSON; a copy may be worked on. */
function copyOf<T>(data: T): T {
  return JSON.parse(JSON.stringify(data)) as T;
}

export function formOf(spec: ShutdownSpec): Conversation['form'] {
  return parseShutdownService(spec.service)?.form ?? 'service';
}

/** A conversation that begins now, its deadline set, nobody asked yet. */
export function openConversation(
  draft: Draft,
  s: ShutdownSituation,
  about: Pick<Conversation, 'scope' | 'reason' | 'pods'> & Pick<Partial<Conversation>, 'nodeSelector'>,
): Conversation {
  const form = formOf(s.spec);
  draft.shutdown.sequence += 1;
  const conversation: Conversation = {
    id: `${s.app.metadata.uid}-${draft.shutdown.sequence}`,
    form,
    ...about,
    startedAt: timestamp(s.now),
    roundStartedAt: timestamp(s.now),
    deadline: timestamp(s.now + s.spec.timeoutSeconds * 1_000),
    round: 1,
    needed: form === 'service' ? 1 : neededOf(s.spec.when, about.pods.length),
  };
  draft.shutdown.conversations.push(conversation);
  return conversation;
}

/** Pods that came while the whole application is being asked are asked too, by the same deadline. Those beyond its size are left out. */
export function joinConversation(
  s: ShutdownSituation,
  conversation: Conversation,
  pods: readonly LivePod[],
): void {
  conversation.pods.push(...pods.slice(0, MAX_CONVERSATION_PODS - conversation.pods.length).map(podOf));
  conversation.needed = Math.max(conversation.needed, neededOf(s.spec.when, conversation.pods.length));
}

function neededOf(when: string, pods: number): number {
  if (when === 'any') return 1;
  return when === 'all' ? Math.max(1, pods) : Math.max(1, Math.min(Number(when), pods));
}

/** Another round, with a deadline of its own. */
export function openRound(draft: Draft, s: ShutdownSituation, conversation: Conversation): void {
  conversation.round += 1;
  conversation.roundStartedAt = timestamp(s.now);
  conversation.deadline = timestamp(s.now + s.spec.timeoutSeconds * 1_000);
  delete conversation.givenUpAt;
  delete conversation.ask;
  for (const pod of conversation.pods) delete pod.ask;
  draft.events.push(retriedOpenly(conversation, s));
}

/** Counts an attempt, to be made once this is stored. */
export function startAttempt(
  draft: Draft,
  s: ShutdownSituation,
  conversation: Conversation,
  asked: { ask?: Ask | undefined },
  pod?: ConversationPod,
): void {
  const before = asked.ask;
  const attempts = (before?.attempts ?? 0) + 1;
  asked.ask = {
    attempts,
    attemptedAt: timestamp(s.now),
    ...(before?.lastError === undefined ? {} : { lastError: before.lastError }),
  };
  const key = callKey(conversation, attempts, pod?.uid);
  const live = pod && s.pods.find(({ uid }) => uid === pod.uid);
  draft.calls.push({ key, conversation, attempt: attempts, pod: live });
}

export function endConversation(
  draft: Draft,
  s: Situation,
  conversation: Conversation,
  outcome: Outcome,
): void {
  const wasMoving = outcome === 'cancelled' && isMoving(conversation);
  conversation.outcome = outcome;
  conversation.endedAt = timestamp(s.now);
  delete conversation.givenUpAt;
  draft.events.push(wasMoving ? moveCancelled(conversation, s) : conversationEnded(conversation, s));
}

/** The complete signal is carried out, or speaks of each of these pods. */
export function areComplete(
  pods: readonly LivePod[],
  { completing, complete }: Pick<Situation, 'completing' | 'complete'>,
): boolean {
  return completing || (pods.length > 0 && pods.every((pod) => isComplete(complete, pod)));
}

/** By the complete signal. Where nothing follows from that, pods that come later have not said it and are not meant. */
export function endAsComplete(draft: Draft, s: Situation, conversation: Conversation): void {
  endConversation(draft, s, conversation, 'completed');
  if (!s.completing) conversation.scope = 'pods';
}

/** Not ended, whether or not it was confirmed a moment ago. */
export function isOpen({ outcome }: Conversation): boolean {
  return outcome === undefined;
}

export function podOf({ uid, name, address }: LivePod): ConversationPod {
  return { uid, name, ...(address === undefined ? {} : { address }) };
}
