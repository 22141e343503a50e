import type { PlannedEvent } from './application-view.ts';
import type { ConditionChange } from './next-status.ts';
import { podsNotInjected } from './planned-events.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

export interface PodCheck {
  readonly condition: ConditionChange;
  /** Ms since 1970; undefined: nothing is expected to change by itself. */
  readonly checkAgainAt: number | undefined;
}

/** A rollout is over by then, or stuck; before that, pods without injection are on their way out. */
const ROLLOUT_MS = 60_000;
const CHECK_MS = 15_000;
/** The Event is recorded in this time after ROLLOUT_MS and not again. */
const EVENT_WINDOW_MS = 120_000;

/** Pods have a former token in their environment. Those that read the mounted file are right, which nobody can see from outside. */
export const TOKEN_RENEWED = 'TokenRenewed';

/**
 * Pods that were there before the stamp, or before the token was replaced, cannot signal. Pods without the label are not watched: they
 * are what the workload counts and the watch cache does not.
 */
export function checkPods(s: Situation): PodCheck {
  const renewedAt = Date.parse(s.status.tokenRenewedAt ?? '');
  // creationTimestamp has whole seconds; who came in the same second counts as later.
  const isOld = (createdAtMs: number) => createdAtMs < Math.floor(renewedAt / 1000) * 1000;
  const stale = s.view.pods.filter((pod) => !pod.deleting && isOld(pod.createdAtMs)).length;
  if (stale > 0) {
    const message = `${stale} pods started before the token was replaced and have ${heldToken(s)} (kubectl rollout restart), unless they read it from its file`;
    const check = found(s, TOKEN_RENEWED, message);
    // Labelled pods are watched; only the Event has to be thought of.
    const isTold = (ageOf(s) ?? 0) >= ROLLOUT_MS + EVENT_WINDOW_MS;
    return isTold ? { ...check, checkAgainAt: undefined } : check;
  }
  const expected = s.asking.reduce((sum, { replicas }) => sum + (replicas ?? 0), 0);
  const comparable = s.asking.every(({ replicas }) => replicas !== undefined);
  const missing = comparable ? expected - s.podCount : 0;
  if (missing > 0) {
    const message = `${missing} of ${expected} pods started before the hooks were on and lack them; restart them (kubectl rollout restart, or delete them)`;
    return found(s, 'StartedBefore', message);
  }
  return {
    condition: {
      type: 'PodsInjected',
      status: 'True',
      reason: 'AllInjected',
      message: 'no pod without hooks is known',
    },
    checkAgainAt: undefined,
  };
}

/** What a person should hear of when a rollout did not replace the pods. */
export function podsEvent(s: Situation, check: PodCheck): PlannedEvent[] {
  const age = ageOf(s);
  const isDue =
    check.condition.status === 'False' &&
    age !== undefined &&
    age >= ROLLOUT_MS &&
    age < ROLLOUT_MS + EVENT_WINDOW_MS;
  if (!isDue) return [];
  const reason = check.condition.reason === TOKEN_RENEWED ? 'PodsHoldVoidToken' : 'PodsStartedBefore';
  return [podsNotInjected(reason, check.condition.message, refsOf(s.asking))];
}

/** Of what pods have that were there before, and what to do. */
function heldToken({ status, now }: Situation): string {
  const until = status.formerTokens
    ?.map(({ validUntil }) => validUntil)
    .filter((time) => Date.parse(time) > now);
  const last = until?.sort().at(-1);
  return last === undefined
    ? 'a void one in their environment; restart them'
    : `one in their environment that is taken until ${last}; restart them by then`;
}

function found(s: Situation, reason: string, message: string): PodCheck {
  const age = ageOf(s) ?? 0;
  const checkAgainAt = s.now + (age < ROLLOUT_MS ? CHECK_MS : ROLLOUT_MS);
  return { condition: { type: 'PodsInjected', status: 'False', reason, message }, checkAgainAt };
}

/** How long the condition has been false. */
function ageOf(s: Situation): number | undefined {
  const before = s.status.conditions?.find(({ type }) => type === 'PodsInjected');
  return before?.status === 'False' ? s.now - Date.parse(before.lastTransitionTime) : undefined;
}
