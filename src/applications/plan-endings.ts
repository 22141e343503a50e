import type { Step } from './application-view.ts';
import { nextStatus, statusStep, timestamp } from './next-status.ts';
import { ending } from './plan-completion.ts';
import { planStamps } from './plan-upkeep.ts';
import { finished, hooksDisabled, hooksEnabled, startedAnew } from './planned-events.ts';
import { letGo } from './shutdown/plan-leaving.ts';
import { issueForNewLife, NO_CREDENTIALS, planRetirement, removeSecret, RETIRED } from './plan-token.ts';
import type { Situation } from './situation.ts';
import { refsOf, specOf } from './wish.ts';

const WAIT_FOR_WORKLOADS_MS = 15_000;

/** Nobody asks for a hook any more: the spec says so first, from which the gate reads it. */
export function planSwitchedOff(s: Situation): Step | undefined {
  const isOff = s.managed && s.asking.length === 0 && s.survivors.length > 0;
  if (!isOff || s.app.spec.hooks.length === 0) return undefined;
  return { do: 'update-spec', spec: { ...specOf([]), workloads: s.app.spec.workloads }, events: [] };
}

/**
 * The workloads are there and no hook is on: the token is void at once, signals are forgotten. The Secret stays while pods refer to it, then
 * an Application that followed annotations goes (its Secret with it); a hand-written one stays.
 */
export function planOff(s: Situation): Step | undefined {
  if (s.hooks.length > 0 || (s.asking.length === 0 && s.survivors.length === 0)) return undefined;
  const isOptedOut = s.view.namespaceState === 'disabled';
  const reason = isOptedOut ? 'NamespaceNotEnabled' : 'HooksDisabled';
  const message = isOptedOut ? 'the namespace is not opted in' : 'no hook is asked for any more';
  const next = nextStatus(
    s,
    {
      phase: 'Pending',
      ...NO_CREDENTIALS,
      tokenRenewedAt: undefined,
      signals: undefined,
      shutdown: undefined,
      finishedAt: undefined,
    },
    [{ type: 'SecretReady', status: 'False', reason, message }],
    ['Certified', 'Stamped', 'PodsInjected', 'Completed', 'Held'],
  );
  const hadToken = s.status.tokenSha256 !== undefined;
  const events = hadToken ? [hooksDisabled(s.app.metadata.name, message, refsOf(s.survivors))] : [];
  const voided = statusStep(s, next, events);
  if (voided !== undefined) return voided;
  if (!isOptedOut) {
    const unstamped = planStamps(s, s.survivors);
    if (unstamped !== undefined) return unstamped;
  }
  if (!s.managed || s.podCount > 0) return { do: 'rest' };
  // Not left to the garbage collector: a namesake's Application must not find it.
  return removeSecret(s) ?? letGo(s) ?? { do: 'delete-application' };
}

/** None of its workloads is there any more: it has come to its end, and is kept for a while so that a person can see what happened. */
export function planGone(s: Situation): Step | undefined {
  if (s.asking.length > 0 || s.survivors.length > 0) return undefined;
  if (!s.managed && s.bound.size === 0) return waitForWorkloads(s);
  const { finishedAt } = s.status;
  // With its last pod: one write tells of both.
  if (finishedAt === undefined) return (s.podCount === 0 ? removeSecret(s) : undefined) ?? finishGone(s);
  const retired = planRetirement(s);
  if (retired !== undefined) return retired;
  const until = Date.parse(finishedAt) + s.finishedTtlMs;
  // What its user wrote is not ours to delete; pods that were left without their workload still need the Secret.
  if (!s.managed || s.podCount > 0) return { do: 'rest' };
  return s.now >= until ? (letGo(s) ?? { do: 'delete-application' }) : { do: 'rest', until };
}

/**
 * Other workloads than those that the token spoke of have taken the names, or one that had ended was started again: a new token, no signals. What
 * was said of the former ones, or with their token, never reaches the new ones.
 */
export function planAnew(s: Situation): Step | undefined {
  if (s.asking.every(({ deleting }) => deleting)) return undefined;
  const refs = refsOf(s.asking);
  const name = s.app.metadata.name;
  const hasFormerLife =
    s.bound.size > 0 || Object.keys(s.status.signals ?? {}).length > 0 || s.status.finishedAt !== undefined;
  if (!hasFormerLife) {
    if (s.status.tokenSha256 !== undefined) return undefined;
    return issueForNewLife(s, 'first', [hooksEnabled(name, s.hooks, refs)]);
  }
  if (s.continuing.length === 0 || (s.status.finishedAt !== undefined && ending(s) === undefined)) {
    return issueForNewLife(s, 'anew', [startedAnew(name, refs), hooksEnabled(name, s.hooks, refs)]);
  }
  return undefined;
}

function waitForWorkloads(s: Situation): Step {
  const next = nextStatus(s, { phase: 'Pending' }, [
    {
      type: 'SecretReady',
      status: 'False',
      reason: 'NoWorkload',
      message: 'none of the workloads that the spec lists was found',
    },
  ]);
  // Nothing watches workloads that nobody has annotated.
  return statusStep(s, next) ?? { do: 'rest', until: s.now + WAIT_FOR_WORKLOADS_MS };
}

function finishGone(s: Situation): Step | undefined {
  const byHook =
    s.status.signals?.complete !== undefined &&
    s.app.spec.hooks.includes('complete') &&
    s.app.spec.completeAction === 'delete';
  const hasFailed = s.status.phase === 'Failed';
  const reason = byHook ? 'DeletedByCompleteHook' : 'WorkloadGone';
  const message = byHook
    ? 'the workloads were deleted because the application said that it is complete'
    : 'the workloads were deleted; the application had not said that it is complete';
  const next = nextStatus(
    s,
    { phase: hasFailed ? 'Failed' : 'Completed', finishedAt: timestamp(s.now) },
    [{ type: 'Completed', status: 'True', reason, message }, ...(s.podCount === 0 ? [RETIRED] : [])],
    ['Certified', 'PodsInjected', 'Stamped'],
  );
  return statusStep(s, next, [finished(byHook ? 'Completed' : reason, message, [])]);
}
