import { isDeepStrictEqual } from 'node:util';
import { boundUid } from './choose-job.ts';
import {
  isFinal,
  type JobDoneWatcher,
  type TriggerState,
  type WatcherPhase,
  type WatcherStatus,
} from './job-done-watcher.ts';
import type { DeliveryPhase, JobEvent } from './webhook-delivery.ts';

/** What a watcher's next status is decided upon. */
export interface WatcherView {
  readonly watcher: JobDoneWatcher;
  /** The living Job of that name. */
  readonly job: { readonly uid: string; readonly end?: JobEvent } | undefined;
  /** The end of a Job that is gone, as its deliveries tell it. */
  readonly recalledEnd: (jobUid: string) => JobEvent | undefined;
  /** Its events decide upon `timeout` alone: a watcher asks for the end of the Job itself. */
  readonly webhook: (
    name: string,
  ) => { readonly uid: string; readonly events: readonly string[] } | undefined;
  /** The delivery of this event to this Webhook, if there is one. */
  readonly delivery: (webhookUid: string, event: JobEvent, occasion?: string) => KnownOutcome | undefined;
  readonly now: number;
}

export interface KnownOutcome {
  readonly name: string;
  readonly phase: DeliveryPhase;
  readonly deliveredAt?: string | undefined;
  readonly reason?: string | undefined;
}

export interface WantedDelivery {
  readonly webhook: string;
  readonly event: JobEvent;
  /** Tells apart the events of one type that concern one Job: time limits of several watchers. */
  readonly occasion?: string;
}

export interface WatcherPlan {
  /** To be created first, then the status is looked at again. */
  readonly wanted: readonly WantedDelivery[];
  readonly status: WatcherStatus;
  readonly changed: boolean;
  /** Only says what everybody can see, so it need not be written at once. */
  readonly canWait: boolean;
  /** Says for good that the Job has not ended in time, or is gone: to be decided upon the Job itself, not upon what a watch has brought of it. */
  readonly restsOnNoEnd: boolean;
  /** When time alone will change something. */
  readonly lookAgainAt?: number;
}

/**
 * What becomes of a watcher, and which deliveries it wants. A final phase never changes. Bound to a Job's UID it is served by that Job alone. A Job
 * that was done in time is in time, however late we look. Pure.
 */
export function planWatcher(view: WatcherView): WatcherPlan {
  const { watcher, now } = view;
  const before = watcher.status ?? {};
  if (isFinal(before.phase))
    return { wanted: [], status: before, changed: false, canWait: true, restsOnNoEnd: false };
  const bound = bind(view);
  const wanted: WantedDelivery[] = [];
  const triggers = watcher.spec.webhooks.map((trigger): TriggerState => {
    const known = before.webhooks?.find(({ id }) => id === trigger.id);
    if (known !== undefined && known.status !== 'NOT_CALLED') return known;
    const next = nextState(view, bound, trigger);
    wanted.push(...next.wanted);
    return next.state;
  });
  const phase = phaseFor(triggers, bound, now);
  const jobUid = watcher.spec.jobUid === undefined ? bound.jobUid : before.jobUid;
  const isBegun =
    before.webhooks !== undefined ||
    triggers.some(({ status: state, delivery }) => state !== 'NOT_CALLED' || delivery !== undefined);
  const status: WatcherStatus = {
    phase,
    ...(jobUid !== undefined && { jobUid }),
    ...(isBegun && { webhooks: triggers }),
    ...(isFinal(phase) && { finishedAt: new Date(now).toISOString() }),
  };
  const deadlines = phase === 'PENDING' ? [bound.deadline, ...openDeadlines(watcher, triggers)] : [];
  const next = Math.min(...deadlines);
  const decided = triggers.some((t) => t.status !== 'NOT_CALLED' && before.webhooks?.includes(t) !== true);
  const says = isFinal(phase) || triggers.some(({ status: state }) => state !== 'NOT_CALLED');
  return {
    wanted,
    status,
    changed: !isDeepStrictEqual(status, before),
    canWait: !says && jobUid === before.jobUid,
    restsOnNoEnd: bound.end === undefined && (decided || isFinal(phase)),
    ...(Number.isFinite(next) && { lookAgainAt: next }),
  };
}

/** The Job that the watcher is bound to, and what is known of it. */
interface Bound {
  readonly jobUid: string | undefined;
  readonly end: JobEvent | undefined;
  /** It was there, and went without an end. */
  readonly gone: boolean;
  readonly deadline: number;
}

function bind({ watcher, job, recalledEnd }: WatcherView): Bound {
  const jobUid = boundUid(watcher) ?? job?.uid;
  const deadline = deadlineOf(watcher, watcher.spec.timeoutSeconds);
  if (job !== undefined && job.uid === jobUid) return { jobUid, end: job.end, gone: false, deadline };
  const end = jobUid === undefined ? undefined : recalledEnd(jobUid);
  return { jobUid, end, gone: jobUid !== undefined && end === undefined, deadline };
}

type Trigger = JobDoneWatcher['spec']['webhooks'][number];

function nextState(
  view: WatcherView,
  { end, gone, deadline: overall, jobUid }: Bound,
  trigger: Trigger,
): { readonly state: TriggerState; readonly wanted: readonly WantedDelivery[] } {
  const { id } = trigger;
  const deadline = Math.min(overall, deadlineOf(view.watcher, trigger.timeoutSeconds));
  // Seconds are all that Kubernetes keeps, so the end of the very second is in time.
  if (end === undefined ? view.now >= deadline : Date.parse(end.time) > deadline) {
    return { state: { id, status: 'TIMEOUT' }, wanted: timeoutDeliveries(view, trigger.webhook, jobUid) };
  }
  if (end === undefined) {
    const state: TriggerState = gone
      ? { id, status: 'CANCELLED', reason: 'the Job was deleted before its end' }
      : { id, status: 'NOT_CALLED' };
    return { state, wanted: [] };
  }
  const webhook = view.webhook(trigger.webhook);
  if (webhook === undefined) {
    const reason = `there is no Webhook ${trigger.webhook}`.slice(0, 256).toWellFormed();
    return { state: { id, status: 'FAILED', reason }, wanted: [] };
  }
  const delivery = view.delivery(webhook.uid, end);
  return {
    state: stateOf(id, delivery),
    wanted: delivery === undefined ? [{ webhook: trigger.webhook, event: end }] : [],
  };
}

function openDeadlines(watcher: JobDoneWatcher, triggers: readonly TriggerState[]): number[] {
  return watcher.spec.webhooks
    .filter((_trigger, position) => triggers[position]?.status === 'NOT_CALLED')
    .map(({ timeoutSeconds }) => deadlineOf(watcher, timeoutSeconds));
}

function deadlineOf({ metadata }: JobDoneWatcher, timeoutSeconds: number): number {
  if (timeoutSeconds === 0) return Number.POSITIVE_INFINITY;
  return Date.parse(metadata.creationTimestamp) + timeoutSeconds * 1_000;
}

function stateOf(id: string, delivery: KnownOutcome | undefined): TriggerState {
  if (delivery === undefined) return { id, status: 'NOT_CALLED' };
  const common = { id, delivery: delivery.name };
  const reason = delivery.reason === undefined ? {} : { reason: delivery.reason };
  switch (delivery.phase) {
    case 'Pending':
      return { ...common, status: 'NOT_CALLED' };
    case 'Delivered':
      return {
        ...common,
        status: 'CALLED',
        ...(delivery.deliveredAt !== undefined && { calledAt: delivery.deliveredAt }),
      };
    case 'DeadLetter':
      return { ...common, status: 'FAILED', ...reason };
    case 'Cancelled':
      return { ...common, status: 'CANCELLED', ...reason };
  }
}

function phaseFor(
  triggers: readonly TriggerState[],
  { end, gone, deadline }: Bound,
  now: number,
): WatcherPhase {
  if (triggers.some(({ status }) => status === 'NOT_CALLED'))
    return end === undefined ? 'PENDING' : 'PROCESSING';
  if (triggers.length > 0) return finalPhase(triggers);
  if (end !== undefined) return Date.parse(end.time) > deadline ? 'TIMEOUT' : 'COMPLETED';
  if (now >= deadline) return 'TIMEOUT';
  return gone ? 'CANCELLED' : 'PENDING';
}

function finalPhase(triggers: readonly TriggerState[]): WatcherPhase {
  const count = (wanted: TriggerState['status']) => triggers.filter(({ status }) => status === wanted).length;
  const called = count('CALLED');
  if (called === triggers.length) return 'COMPLETED';
  if (called > 0) return 'PARTIALLY_COMPLETED';
  if (count('TIMEOUT') === triggers.length) return 'TIMEOUT';
  if (count('CANCELLED') === triggers.length) return 'CANCELLED';
  return 'FAILED';
}

function timeoutDeliveries(
  { watcher, webhook, delivery, now }: WatcherView,
  name: string,
  jobUid = watcher.metadata.uid,
): WantedDelivery[] {
  const target = webhook(name);
  if (target?.events.includes('timeout') !== true) return [];
  const event: JobEvent = {
    type: 'timeout',
    time: new Date(now).toISOString(),
    job: { name: watcher.spec.jobName, uid: jobUid },
    succeeded: 0,
    failed: 0,
    labels: {},
  };
  const occasion = watcher.metadata.uid;
  return delivery(target.uid, event, occasion) === undefined ? [{ webhook: name, event, occasion }] : [];
}
