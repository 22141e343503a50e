import { isDeepStrictEqual } from 'node:util';
import type { Step } from './application-view.ts';
import type { ApplicationStatus, Phase } from './application.ts';
import type { LiveWorkload } from './live-workload.ts';
import { nextStatus, statusStep, type ConditionChange } from './next-status.ts';
import { countMessage } from './plan-count.ts';
import { certificateConditions, certificateEvents } from './plan-certificate.ts';
import { credentialsInForce } from './plan-rotation.ts';
import { RETIRED } from './plan-token.ts';
import { TOKEN_RENEWED, checkPods, podsEvent } from './pods-injected.ts';
import { actionWarnings, notInjected, stampRepaired, whyNotInjected } from './planned-events.ts';
import type { Situation } from './situation.ts';
import { goodbyesInForce } from './shutdown/carry-over.ts';
import { NO_CONVERSATION } from './shutdown/draft.ts';
import { shutdownCondition, shutdownPhase } from './shutdown/shutdown-condition.ts';
import { refsOf, specOf } from './wish.ts';

/** What no watch shows is looked at this often: a template that asks by itself, a listed workload, a Secret or a policy that stands in the way. */
const UNWATCHED_CHECK_MS = 60_000;

/** The spec of an Application that was made from annotations follows them. */
export function planSpec(s: Situation): Step | undefined {
  if (!s.managed) return undefined;
  const spec = specOf(s.asking);
  if (isDeepStrictEqual(spec, s.app.spec)) return undefined;
  return { do: 'update-spec', spec, events: actionWarnings(s.asking) };
}

/** A workload that was annotated, or lost its annotation, while the admission webhook was away. */
export function planStamps(s: Situation, workloads: readonly LiveWorkload[] = s.asking): Step | undefined {
  const workload = workloads.find(
    (candidate) => lacksStamp(candidate) && !s.view.tried.has(candidate.ref.uid),
  );
  return (
    workload && {
      do: 'repair-stamp',
      workload,
      events: [stampRepaired(workload.ref, workload.asked !== undefined)],
    }
  );
}

/** Says in the status how things are; then there is nothing to do until something changes. */
export function planStatus(s: Situation): Step {
  // Its status says so already; a Secret cannot be watched.
  if (s.live.secret.state === 'foreign') return { do: 'rest', until: s.now + UNWATCHED_CHECK_MS };
  const pods = checkPods(s);
  const shutdown = shutdownOf(s);
  const certificate = certificateConditions(s);
  const conditions = [
    secretCondition(s),
    ...certificate,
    stampCondition(s),
    pods.condition,
    ...awaiting(s),
    ...(shutdown === undefined ? [] : [shutdownCondition(shutdown, s)]),
  ];
  const next = nextStatus(
    s,
    {
      phase: phaseOf(s),
      caBundleSha256: s.view.caBundleSha256,
      ...credentialsInForce(s),
      // No signal waits here to be carried out, so nobody is bound to one that was not said of them.
      workloads: refsOf(s.asking),
      signals: signalsOf(s),
      shutdown,
      tokenRenewedAt: pods.condition.reason === TOKEN_RENEWED ? s.status.tokenRenewedAt : undefined,
    },
    conditions,
    [
      ...(s.hooks.includes('complete') || s.status.finishedAt !== undefined ? [] : ['Completed' as const]),
      ...(shutdown === undefined ? ['Held' as const] : []),
      ...(certificate.length === 0 ? ['Certified' as const] : []),
    ],
  );
  const lacking = s.asking.filter(({ injected }) => !injected).map(({ ref }) => ref);
  const wasStamped = !s.status.conditions?.some(
    ({ type, status }) => type === 'Stamped' && status === 'False',
  );
  const written = statusStep(s, next, [
    ...(wasStamped ? lacking.map(notInjected) : []),
    ...certificateEvents(s),
  ]);
  if (written !== undefined) return written;
  const isUnwatched = s.asking.some(
    (workload) => workload.asked?.from === 'template' || lacksStamp(workload),
  );
  const until = pods.checkAgainAt ?? (isUnwatched ? s.now + UNWATCHED_CHECK_MS : undefined);
  const events = podsEvent(s, pods);
  return {
    do: 'rest',
    ...(until === undefined ? {} : { until }),
    ...(events.length === 0 ? {} : { events }),
  };
}

function lacksStamp(workload: LiveWorkload): boolean {
  return workload.stampPatch !== undefined && !workload.deleting;
}

/**
 * A signal of a hook that is off is forgotten, so that switching the hook on again does not bring it back. Never undefined: a signal is stored
 * by one JSON Patch, which can add to an empty object but not to a missing one.
 */
function signalsOf({ status, hooks, view }: Situation): ApplicationStatus['signals'] {
  const { complete, completeFrom, ...goodbyes } = status.signals ?? {};
  const isOn = hooks.includes('complete');
  return {
    ...(complete !== undefined && isOn ? { complete } : {}),
    ...(completeFrom !== undefined && isOn ? { completeFrom } : {}),
    ...(hooks.includes('shutdown') ? goodbyesInForce(goodbyes, view.pods) : {}),
  };
}

function phaseOf(s: Situation): Phase {
  if (s.status.finishedAt !== undefined) return s.status.phase ?? 'Completed';
  const held = shutdownPhase(s.status.shutdown, s);
  if (held !== undefined) return held;
  if (s.asking.every(({ deleting }) => deleting)) return 'Deleting';
  return s.asking.some((workload) => !workload.injected || lacksStamp(workload)) ? 'Degraded' : 'Running';
}

/** The conversations as they are, and where to call when the Service is gone before its pods. */
function shutdownOf({ status, live, shutdown }: Situation): ApplicationStatus['shutdown'] {
  if (shutdown === undefined) return undefined;
  const { target: former, ...current } = status.shutdown ?? NO_CONVERSATION;
  const target = live.target ?? former;
  return target === undefined ? current : { ...current, target };
}

function secretCondition({ app, status, live }: Situation): ConditionChange {
  if (status.finishedAt !== undefined && live.secret.state === 'absent') return RETIRED;
  const ready = { type: 'SecretReady', status: 'True' } as const;
  if (app.spec.auth !== 'token') {
    const message = 'the CA bundle is in the Secret; pods prove themselves by their identity';
    return { ...ready, reason: 'CaBundleWritten', message };
  }
  const what = status.certificates === undefined ? 'token' : 'token, certificate';
  return { ...ready, reason: 'TokenIssued', message: `${what} and CA bundle are in the Secret` };
}

function stampCondition(s: Situation): ConditionChange {
  const namesOf = (workloads: readonly LiveWorkload[]) =>
    workloads.map(({ ref }) => `${ref.kind} ${ref.name}`).join(', ');
  const type = 'Stamped';
  const without = s.asking.find(({ injected }) => !injected);
  if (without !== undefined) {
    return { type, status: 'False', reason: 'NotInjected', message: whyNotInjected(without.ref) };
  }
  const lacking = s.asking.filter(lacksStamp);
  if (lacking.length > 0) {
    const message = `the pod template could not be brought in order: ${namesOf(lacking)}`;
    return { type, status: 'False', reason: 'StampNotRepaired', message };
  }
  return { type, status: 'True', reason: 'Stamped', message: 'the pod templates carry what is asked for' };
}

function awaiting(s: Situation): ConditionChange[] {
  const { status, hooks } = s;
  if (status.finishedAt !== undefined || !hooks.includes('complete')) return [];
  if (status.signals?.complete !== undefined) return [];
  const message = countMessage(s) ?? 'the application has not said that it is complete';
  return [{ type: 'Completed', status: 'False', reason: 'AwaitingSignal', message }];
}
