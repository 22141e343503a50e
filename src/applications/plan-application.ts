import { FINALIZER_SHUTDOWN } from '../contract/index.ts';
import { isManaged, type Application } from './application.ts';
import type { ApplicationView, Step } from './application-view.ts';
import { isHolding } from './conversation.ts';
import { planClaims } from './plan-claims.ts';
import { planCompletion } from './plan-completion.ts';
import { planAnew, planGone, planOff, planSwitchedOff } from './plan-endings.ts';
import { countWakeUp, planCount } from './plan-count.ts';
import { credentialsWakeUp, planRotation } from './plan-rotation.ts';
import { planSecret } from './plan-secret.ts';
import { planSpec, planStamps, planStatus } from './plan-upkeep.ts';
import { firstStatus } from './plan-token.ts';
import { actionWarnings, hooksEnabled } from './planned-events.ts';
import { planFinalizer, planLeaving, planUnheld } from './shutdown/plan-leaving.ts';
import { planShutdown, shutdownWakeUp } from './shutdown/plan-shutdown.ts';
import { buildSituation, type PlanTime, type Situation } from './situation.ts';
import { refsOf, specOf, unionOf, wishOf } from './wish.ts';

/** In order; the first that has something to do says what. Each is safe to repeat and none depends on what happened before. */
const RULES: readonly ((situation: Situation) => Step | undefined)[] = [
  planClaims,
  planRotation,
  planSwitchedOff,
  planUnheld,
  planFinalizer,
  planShutdown,
  planOff,
  planGone,
  planAnew,
  planSpec,
  planCount,
  planCompletion,
  planSecret,
  planStamps,
  planStatus,
];

/**
 * The next step for one Application: a pure function of what is, never of what happened. The caller carries the step out, brings the view up
 * to date and asks again until it says `rest`. A step that the API server refuses for a conflict is followed by a fresh view.
 *
 * What holds for every sequence of views: a workload is deleted or scaled only while a complete signal is stored, the hook is on, and its
 * UID is one that the token of that signal spoke of; an Application is deleted only when none of its workloads is there, or its hooks are off
 * and no pod needs its Secret.
 */
export function planApplication(view: ApplicationView, time: PlanTime): Step {
  const { application: app, live } = view;
  if (app === undefined) return planAbsent(view);
  // What is left goes with its namespace; nothing can be created there any more.
  const isLeaving = view.namespaceState === 'terminating' || app.metadata.deletionTimestamp !== undefined;
  if (isLeaving) return planLast(view, app, time);
  if (live === undefined) return planFirstToken(view, app, time) ?? { do: 'observe' };

  const situation = buildSituation(view, app, live, time);
  for (const rule of RULES) {
    const step = rule(situation);
    if (step !== undefined) return wokenFor(step, situation);
  }
  return { do: 'rest' };
}

/** Nothing is kept in order any more; what has to say goodbye is still heard. */
function planLast(view: ApplicationView, app: Application, time: PlanTime): Step {
  if (!isConcerned(view, app)) return { do: 'rest' };
  if (view.live === undefined) return { do: 'observe' };
  const situation = buildSituation(view, app, view.live, time);
  const step =
    planRotation(situation) ??
    planSwitchedOff(situation) ??
    planUnheld(situation) ??
    // Nothing is carried out any more, but the signal ends conversations.
    planCount(situation) ??
    planShutdown(situation) ??
    planLeaving(situation);
  return wokenFor(step, situation);
}

/**
 * Its finalizer keeps it as long as it is needed. Where somebody has taken that off, the gate goes on holding its pods as long as it is there: then it
 * goes on until nothing is left that it holds.
 */
function isConcerned({ pods, members }: ApplicationView, { metadata, spec, status }: Application): boolean {
  if (metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true) return true;
  if (!spec.hooks.includes('shutdown')) return false;
  const { going = {}, conversations = [] } = status?.shutdown ?? {};
  const isTalking = Object.keys(going).length > 0 || conversations.some(isHolding);
  return pods.length > 0 || members.some(({ held }) => held) || isTalking;
}

/** Rests no longer than conversations, tokens, certificates and signals allow. */
function wokenFor(step: Step, situation: Situation): Step {
  if (step.do !== 'rest') return step;
  const times = [shutdownWakeUp, credentialsWakeUp, countWakeUp].map((wakeUp) => wakeUp(situation));
  const known = [step.until, ...times].filter((time) => time !== undefined);
  return known.length === 0 ? step : { ...step, until: Math.min(...known) };
}

/** No Application: one is made for whoever asks for hooks. */
function planAbsent(view: ApplicationView): Step {
  if (view.members.length === 0 && view.pods.length === 0) return { do: 'rest' };
  const held = view.live?.workloads.find(
    (workload) =>
      workload.held &&
      (workload.asked === undefined || view.namespaceState !== 'enabled') &&
      !view.tried.has(workload.ref.uid),
  );
  if (held !== undefined) return { do: 'release-workload', workload: held };
  const asking = view.live?.workloads.filter(({ asked, claimed }) => asked !== undefined && !claimed);
  const wishes = asking ?? view.members.filter(({ claimed }) => !claimed).map(wishOf);
  const claimed = view.live?.workloads.find(
    (workload) => workload.claimed && workload.ownLabel === view.name,
  );
  if (claimed !== undefined) return { do: 'release', workload: claimed };
  const spec = specOf(wishes);
  if (view.namespaceState === 'enabled' && spec.hooks.length > 0) {
    return { do: 'create', spec, events: actionWarnings(wishes) };
  }
  // A template alone may ask, which metadata does not show; a claim may be left over.
  const mayBeMore =
    view.namespaceState === 'enabled' || view.members.some((member) => member.claimed || member.held);
  return view.live === undefined && mayBeMore ? { do: 'observe' } : { do: 'rest' };
}

/**
 * A fresh Application gets its token at once, without reading anything more: the kubelet waits for the Secret. That the watch cache
 * may be behind does no harm: a token bound to a workload that is gone is replaced in the next pass.
 */
function planFirstToken(view: ApplicationView, app: Application, time: PlanTime): Step | undefined {
  const status = app.status ?? {};
  const isFresh = Object.keys(status).length === 0;
  if (!isFresh || !isManaged(app) || view.namespaceState !== 'enabled') return undefined;
  const wishes = view.members.filter(({ claimed, hooks }) => !claimed && hooks !== '').map(wishOf);
  if (wishes.length === 0) return undefined;
  const workloads = refsOf(wishes);
  return {
    do: 'issue-token',
    why: 'first',
    status: firstStatus({ app, status, now: time.now }, workloads, view, unionOf(wishes).hooks),
    events: [hooksEnabled(view.name, unionOf(wishes).hooks, workloads)],
  };
}
