import { isConflict, isNotFound, type ProcessResult } from '../kube/index.ts';
import type { ApplicationView, PlannedEvent, Step } from './application-view.ts';
import type { Application, ApplicationStatus } from './application.ts';
import { refOf } from './application-writer.ts';
import type { Deadlines } from './shutdown/deadlines.ts';
import { wantedCalls } from './shutdown/plan-shutdown.ts';
import { performStep, recordEvents, type Outcome, type StepDeps } from './perform-step.ts';
import { planApplication } from './plan-application.ts';
import type { PlanTime } from './situation.ts';
import type { RecentReads, RecentView } from './recent-reads.ts';

/** What the watch caches know of one Application. */
export interface CachedView extends Pick<
  ApplicationView,
  | 'namespace'
  | 'name'
  | 'namespaceState'
  | 'members'
  | 'pods'
  | 'caBundleSha256'
  | 'issuerSha256'
  | 'issuerNotAfter'
> {
  /** Whether the watch cache has it; if not, it is not read either. */
  readonly exists: boolean;
}

export interface ReconcileApplicationDeps extends StepDeps {
  readonly view: (key: string) => CachedView;
  readonly deadlines: Deadlines;
  readonly recentReads: RecentReads;
}

export interface ReconcileOptions {
  readonly finishedTtlMs: number;
  readonly resyncIntervalMs: number;
  /** Age at which tokens are replaced, and how long the former ones are still taken; undefined or 0: never by itself. */
  readonly tokens?: PlanTime['tokens'];
}

/** More steps than any way through the plan has; beyond that something writes against us, which backoff has to calm. */
const MAX_STEPS = 40;
const MAX_CONFLICTS = 6;
/** After a token was issued: of many new workloads, each has its Secret before one has all the rest. */
const YIELD_MS = 100;
/** A watch is faster; this is for one that has just ended. */
const WATCH_MS = 2_000;

/** They only say what is, or ask: decided upon something that was read a moment ago, they do no harm. */
const REPEATABLE: readonly Step['do'][] = ['rest', 'write-status', 'ask'];

/**
 * Brings one Application in order: plans a step from what is, carries it out, plans again. Stopping anywhere is harmless, as is
 * doing it twice. Throws when the API server refuses or is away; the work queue tries again.
 */
export async function reconcileApplication(
  key: string,
  deps: ReconcileApplicationDeps,
  options: ReconcileOptions,
  signal: AbortSignal,
): Promise<ProcessResult> {
  const recent = deps.recentReads.begin(key);
  let seen: RecentView | undefined;
  try {
    return await bringInOrder(key, recent, deps, options, signal, (view) => (seen = view));
  } finally {
    deps.recentReads.end(key, seen);
  }
}

async function bringInOrder(
  key: string,
  recent: RecentView | undefined,
  deps: ReconcileApplicationDeps,
  options: ReconcileOptions,
  signal: AbortSignal,
  onRest: (view: RecentView) => void,
): Promise<ProcessResult> {
  const { finishedTtlMs, tokens } = options;
  const { remainingMs } = deps.deadlines;
  const calls = deps.calls.of(key);
  let isRecent = recent !== undefined;
  let view: ApplicationView =
    recent === undefined
      ? await readView(key, deps, signal)
      : { ...deps.view(key), ...recent, tried: new Set(), calls };
  let conflicts = 0;
  for (let count = 0; count < MAX_STEPS; count++) {
    signal.throwIfAborted();
    const step = planApplication(view, { now: deps.now(), finishedTtlMs, remainingMs, tokens });
    if (isRecent && !REPEATABLE.includes(step.do)) {
      isRecent = false;
      view = await readView(key, deps, signal);
      continue;
    }
    if (step.do === 'rest') {
      recordEvents(view.application, view.namespace, step.events ?? [], deps);
      deps.calls.retain(key, wantedCalls(view.application?.status?.shutdown));
      onRest(view);
      return restFor(step, view, deps.now(), options);
    }
    measureRounds(step, deps.deadlines);
    try {
      const outcome = await performStep(view, step, deps, signal);
      report(view, step, outcome, deps);
      if (outcome.then !== 'plan') return { requeueAfterMs: outcome.then === 'yield' ? YIELD_MS : WATCH_MS };
      view = outcome.view;
    } catch (error) {
      conflicts += 1;
      if (!isOutdated(error) || conflicts > MAX_CONFLICTS) throw error;
      isRecent = false;
      const application = await deps.client.get<Application>(refOf(view), { signal });
      view = { ...view, ...deps.view(key), application, live: undefined };
    }
  }
  throw new Error(
    'the application does not come to rest: something changes it as fast as it is brought in order',
  );
}

/** What the watch caches know by now, and the Application itself. */
async function readView(
  key: string,
  deps: ReconcileApplicationDeps,
  signal: AbortSignal,
): Promise<ApplicationView> {
  const cached = deps.view(key);
  return {
    ...cached,
    application: cached.exists ? await deps.client.get<Application>(refOf(cached), { signal }) : undefined,
    live: undefined,
    tried: new Set(),
    calls: deps.calls.of(key),
  };
}

/** From before they are stored: nobody can set the clock between the write and the first look at it. */
function measureRounds(step: Step, { remainingMs }: Deadlines): void {
  if ('status' in step) step.status.shutdown?.conversations.forEach(remainingMs);
}

/** A conflict, or an object that is gone: what was planned upon is not so any more. */
function isOutdated(error: unknown): boolean {
  return isConflict(error) || isNotFound(error);
}

/** Without an Application and without anybody who asks for one, nothing is to be looked at again. */
function restFor(
  step: Extract<Step, { do: 'rest' }>,
  view: ApplicationView,
  now: number,
  { resyncIntervalMs }: ReconcileOptions,
): ProcessResult {
  if (view.application === undefined && view.members.length === 0) return {};
  if (step.until === undefined) return { requeueAfterMs: resyncIntervalMs };
  return { requeueAfterMs: Math.max(0, Math.min(step.until - now, resyncIntervalMs)) };
}

/** One line and the Events for each decision that was carried out. */
function report(
  view: ApplicationView,
  step: Exclude<Step, { do: 'rest' }>,
  outcome: Outcome,
  deps: StepDeps,
): void {
  if (step.do === 'observe' || step.do === 'observe-pods') return;
  if (outcome.then === 'plan' && outcome.happened === false) return;
  const app = outcome.then === 'plan' ? outcome.view.application : view.application;
  if ('status' in step) countEnded(view.application?.status, step.status, deps.metrics);
  const events = eventsOf(step, outcome);
  recordEvents(app ?? view.application, view.namespace, events, deps);
  deps.logger.info('application step', {
    step: step.do,
    namespace: view.namespace,
    application: view.name,
    uid: app?.metadata.uid ?? view.application?.metadata.uid,
    ...('status' in step ? { phase: step.status.phase } : {}),
    ...('workload' in step ? { kind: step.workload.ref.kind, workload: step.workload.ref.name } : {}),
    reasons: events.map(({ reason }) => reason),
  });
}

function eventsOf(step: Exclude<Step, { do: 'rest' }>, outcome: Outcome): readonly PlannedEvent[] {
  const planned = 'events' in step ? step.events : [];
  return outcome.then === 'plan' ? (outcome.events ?? planned) : planned;
}

/** Conversations that have ended with this write. */
function countEnded(
  before: ApplicationStatus | undefined,
  after: ApplicationStatus,
  metrics: ReconcileApplicationDeps['metrics'],
): void {
  const wasOver = new Set(
    before?.shutdown?.conversations.filter(({ outcome }) => outcome !== undefined).map(({ id }) => id),
  );
  for (const { id, reason, outcome, startedAt, endedAt } of after.shutdown?.conversations ?? []) {
    if (outcome === undefined || endedAt === undefined || wasOver.has(id)) continue;
    metrics.conversationEnded(reason, outcome, (Date.parse(endedAt) - Date.parse(startedAt)) / 1_000);
  }
}
