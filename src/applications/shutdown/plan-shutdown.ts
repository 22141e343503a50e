import { isDeepStrictEqual } from 'node:util';
import type { Phase } from '../application.ts';
import type { Step } from '../application-view.ts';
import { isHolding, type Conversation, type ShutdownStatus } from '../conversation.ts';
import { callKey } from './conversation-calls.ts';
import { nextStatus, type ConditionChange } from '../next-status.ts';
import { BELIEVED_MS } from '../recent-reads.ts';
import type { Situation } from '../situation.ts';
import { answerRequest, requestOf } from './answer-request.ts';
import { beginConversations, foldGoing, takesMore } from './begin-conversations.ts';
import { carryOn, endByCompletion } from './carry-on.ts';
import { closeConversations, lingeringMs } from './close-conversations.ts';
import { createDraft, withPods, type Draft, type ShutdownSituation } from './draft.ts';
import { noteEffects } from './note-effects.ts';
import { effectsWakeUp, planEffects } from './plan-effects.ts';
import { shutdownCondition, shutdownPhase } from './shutdown-condition.ts';

/** Just longer than what was read is believed. */
const STARTING_CHECK_MS = BELIEVED_MS + 500;

/** In this order within one pass, and stored in one write: a conversation that begins is asked about in the same. */
const RULES: readonly ((draft: Draft, s: ShutdownSituation) => void)[] = [
  answerRequest,
  endByCompletion,
  foldGoing,
  beginConversations,
  carryOn,
  noteEffects,
  closeConversations,
];

/**
 * Holds what has to say goodbye first, and carries out what was held up. Pure, like all of the plan: what the conversations should be follows from
 * what they are, the pods, the calls of this process and the time; what it says twice is the same.
 */
export function planShutdown(s: Situation): Step | undefined {
  if (s.shutdown === undefined || !hasWork(s)) return undefined;
  const situation = observed(s);
  if (situation === undefined) return { do: 'observe-pods' };
  return store(situation) ?? planEffects(situation);
}

/** Undefined: the hook is off, or the pods have not been read. */
function observed(s: Situation): ShutdownSituation | undefined {
  const { shutdown, live } = s;
  return shutdown && live.pods && withPods(s, shutdown, live.pods);
}

/** When the conversations have to be looked at again by themselves (ms since 1970). */
export function shutdownWakeUp(s: Situation): number | undefined {
  const times = (s.status.shutdown?.conversations ?? []).flatMap((conversation) => {
    if (isHolding(conversation) && conversation.givenUpAt === undefined)
      return [s.now + Math.max(0, s.remainingMs(conversation)), ...nextAttempts(conversation)];
    if (conversation.doneAt !== undefined) return [s.now + Math.max(0, lingeringMs(conversation, s))];
    return conversation.outcome === 'cancelled' ? [s.now + Math.max(0, s.remainingMs(conversation))] : [];
  });
  const situation = observed(s);
  const all =
    situation === undefined ? times : [...times, ...effectsWakeUp(situation), ...startingWakeUp(situation)];
  return all.length === 0 ? undefined : Math.min(...all);
}

/** A pod that starts joins a conversation in which each pod is asked; that it has started stands in its status, which no watch shows. */
function startingWakeUp(s: ShutdownSituation): number[] {
  const isStarting = s.pods.some(({ started, finished, deleting }) => !started && !finished && !deleting);
  const isJoinable = isStarting && (s.status.shutdown?.conversations ?? []).some(takesMore);
  return isJoinable ? [s.now + STARTING_CHECK_MS] : [];
}

function store(s: ShutdownSituation): Step | undefined {
  const draft = createDraft(s);
  for (const rule of RULES) rule(draft, s);
  const { shutdown, signals, calls, events } = draft;
  const condition = shutdownCondition(shutdown, s);
  const isStored =
    isDeepStrictEqual(shutdown, s.status.shutdown) && isDeepStrictEqual(signals, s.status.signals);
  if (isStored && isSaid(condition, s)) return undefined;
  const phase = shutdownPhase(shutdown, s) ?? phaseAfterwards(s);
  const status = nextStatus(s, { shutdown, signals, ...(phase === undefined ? {} : { phase }) }, [condition]);
  // A change that no conversation has is not worth a call.
  return calls.length > 0 ? { do: 'ask', status, calls, events } : { do: 'write-status', status, events };
}

/** The gate has stored who is to go, which may change what a person has to know and nothing else. Without a conversation there is nothing to say. */
function isSaid({ type, reason, message }: ConditionChange, { status }: ShutdownSituation): boolean {
  const said = status.conditions?.find((condition) => condition.type === type);
  return said === undefined || (said.reason === reason && said.message === message);
}

/** Phases that nothing but a conversation puts an application in. */
const CONVERSATION_PHASES: readonly (Phase | undefined)[] = [
  'WaitingForCleaning',
  'ReadyForAction',
  'Migrating',
];

/** No conversation says anything any more: it runs on, or goes. Undefined: none did before. */
function phaseAfterwards(s: ShutdownSituation): Phase | undefined {
  const isOurs =
    CONVERSATION_PHASES.includes(s.status.phase) || shutdownPhase(s.status.shutdown, s) !== undefined;
  if (!isOurs) return undefined;
  // Pods that came after its end, as after a complete signal from which nothing followed.
  if (s.status.finishedAt !== undefined) return endOf(s);
  const isGoing = s.view.namespaceState === 'terminating' || s.asking.every(({ deleting }) => deleting);
  return isGoing ? 'Deleting' : 'Running';
}

function endOf({ status }: ShutdownSituation): Phase {
  const completed = status.conditions?.find(({ type }) => type === 'Completed');
  return completed?.reason === 'WorkloadFailed' ? 'Failed' : 'Completed';
}

/** Whether there is anything for which the pods have to be read. */
function hasWork(s: Situation): boolean {
  const { going = {}, conversations = [], handledRequest } = s.status.shutdown ?? {};
  return (
    conversations.length > 0 ||
    Object.keys(going).length > 0 ||
    handledRequest !== undefined ||
    requestOf(s) !== undefined ||
    s.view.namespaceState === 'terminating' ||
    s.asking.some(({ deleting, orphaning }) => deleting && !orphaning)
  );
}

function nextAttempts({ ask, pods }: Conversation): number[] {
  return [ask, ...pods.map((pod) => pod.ask)].flatMap((one) =>
    one?.nextAttemptAt === undefined || one.acceptedAt !== undefined ? [] : [Date.parse(one.nextAttemptAt)],
  );
}

/** The calls whose end is of interest: the latest attempt of each who is asked, until its end is stored. */
export function wantedCalls(shutdown: ShutdownStatus | undefined): ReadonlySet<string> {
  const keys = (shutdown?.conversations ?? []).filter(isHolding).flatMap((conversation) => {
    const { ask, pods } = conversation;
    const own = ask === undefined ? [] : [callKey(conversation, ask.attempts)];
    const theirs = pods.flatMap((pod) =>
      pod.ask === undefined || pod.confirmation !== undefined
        ? []
        : [callKey(conversation, pod.ask.attempts, pod.uid)],
    );
    return [...own, ...theirs];
  });
  return new Set(keys);
}
