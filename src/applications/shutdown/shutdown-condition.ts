import type { Phase } from '../application.ts';
import {
  isHolding,
  isMoving,
  letsGo,
  type Ask,
  type Conversation,
  type ConversationPod,
  type ShutdownStatus,
} from '../conversation.ts';
import type { ConditionChange } from '../next-status.ts';
import type { Situation } from '../situation.ts';
import { explainRefusal, subjectOf, wayOut } from './shutdown-events.ts';

/** So many pods that wait their turn are named. */
const MAX_NAMED = 3;

/** The phase that the conversations put an application in; undefined: they say nothing of it. */
export function shutdownPhase(
  shutdown: ShutdownStatus | undefined,
  s: Pick<Situation, 'asking' | 'view'>,
): Phase | undefined {
  const conversations = (shutdown?.conversations ?? []).filter(({ doneAt }) => doneAt === undefined);
  if (conversations.some(({ givenUpAt }) => givenUpAt !== undefined)) return 'Degraded';
  if (conversations.some(isHolding)) return 'WaitingForCleaning';
  if (conversations.some(isMoving)) return 'Migrating';
  const isReady = conversations.some((c) => letsGo(c) && c.scope === 'application');
  const isNext =
    s.view.namespaceState === 'terminating' || s.asking.some(({ held, deleting }) => held && deleting);
  return isReady && isNext ? 'ReadyForAction' : undefined;
}

/** Who holds what, why, until when, what was tried, and the way out: enough to understand it without a log. */
export function shutdownCondition(shutdown: ShutdownStatus, s: Situation): ConditionChange {
  const type = 'Held';
  const holding = shutdown.conversations.filter(isHolding);
  const [first] = [...holding].sort((a, b) => (a.deadline < b.deadline ? -1 : 1));
  if (first === undefined) {
    const going = shutdown.conversations.filter((c) => letsGo(c) && c.doneAt === undefined);
    const [last] = going.slice(-1);
    const refused = going.flatMap(({ pods }) => pods).find((pod) => isRefused(pod, s));
    if (refused !== undefined)
      return { type, status: 'False', reason: 'RemovalRefused', message: explainRefusal(refused, s) };
    return last === undefined
      ? { type, status: 'False', reason: 'NotHeld', message: 'nothing waits for a goodbye' }
      : {
          type,
          status: 'False',
          reason: REASONS[last.outcome ?? 'confirmed'],
          message: `${subjectOf(last, s)} may go`,
        };
  }
  const others = holding.length > 1 ? `; ${holding.length - 1} more conversations` : '';
  const more = `${others}${waiting(shutdown)}`;
  if (first.givenUpAt !== undefined) {
    const message = `krake-hooks holds ${subjectOf(first, s)} (${first.reason}): no goodbye came in ${first.round} rounds, the last until ${first.deadline}; decide with ${wayOut(s, ['retry', 'release'])}${more}`;
    return { type, status: 'True', reason: 'GivenUp', message };
  }
  const message =
    `krake-hooks holds ${subjectOf(first, s)} (${first.reason}) until it has said goodbye, at the latest until ${first.deadline}` +
    ` (round ${first.round}; then ${afterDeadline(first, s)}): ${asks(first)}; way out: ${wayOut(s, ['release'])}${more}`;
  return { type, status: 'True', reason: 'AwaitingGoodbye', message };
}

function isRefused({ uid, removalError }: ConversationPod, { live }: Situation): boolean {
  return removalError !== undefined && live.pods?.some((pod) => pod.uid === uid && !pod.deleting) === true;
}

/** Those who are not being asked yet: the service is asked one thing after the other. After a give-up that may be for ever. */
function waiting({ going }: ShutdownStatus): string {
  const names = Object.values(going).map(({ name }) => name);
  if (names.length === 0) return '';
  const shown = names.slice(0, MAX_NAMED).join(', ');
  const rest = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  const what = names.length === 1 ? 'pod' : 'pods';
  return `; held behind that, to be asked when it is over: ${what} ${shown}${rest}`;
}

const REASONS = {
  confirmed: 'Confirmed',
  voluntary: 'Confirmed',
  completed: 'Completed',
  released: 'Released',
  'timed-out': 'TimedOut',
  'pods-gone': 'PodsGone',
  cancelled: 'Cancelled',
} as const;

function afterDeadline(c: Conversation, { shutdown }: Situation): string {
  if (shutdown !== undefined && c.round <= shutdown.retries) return 'it is asked again';
  return shutdown?.failure === 'give-up' ? 'a person has to decide' : 'it goes without';
}

function asks(c: Conversation): string {
  if (c.form === 'service') return `the shutdown service was ${describe(c.ask)}`;
  const confirmed = c.pods.filter(({ confirmation }) => confirmation !== undefined).length;
  const waiting = c.pods.find(({ confirmation }) => confirmation === undefined);
  const one = waiting === undefined ? '' : `; pod ${waiting.name} was ${describe(waiting.ask)}`;
  return `${confirmed} of ${c.needed} goodbyes have come${one}`;
}

function describe(ask: Ask | undefined): string {
  if (ask === undefined) return 'not asked yet';
  if (ask.acceptedAt !== undefined) return `asked at ${ask.acceptedAt} (attempt ${ask.attempts})`;
  if (ask.nextAttemptAt === undefined)
    return `called at ${ask.attemptedAt} (attempt ${ask.attempts}), which has not ended`;
  return `not reached (attempt ${ask.attempts}: ${ask.lastError ?? 'no answer'}), next try at ${ask.nextAttemptAt}`;
}
