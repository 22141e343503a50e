import { isConflict, isNotFound, type ProcessResult } from '../kube/index.ts';
import type { ApplicationView, Step } from './application-view.ts';
import type { Application, ApplicationStatus } from './application.ts';
import { refOf } from './application-writer.ts';
import type { Deadlines } from './shutdown/deadlines.ts';
import { wantedCalls } from './shutdown/plan-shutdown.ts';
import { performStep, recordEvents, type StepDeps } from './perform-step.ts';
import { planApplication } from './plan-application.ts';

/** What the watch caches know of one Application. */
export interface CachedView extends Pick<
  ApplicationView,
  'namespace' | 'name' | 'namespaceState' | 'members' | 'pods' | 'caBundleSha256'
> {
  /** Whether the watch cache has it; if not, it is not read either. */
  readonly exists: boolean;
}

export interface ReconcileApplicationDeps extends StepDeps {
  readonly view: (key: string) => CachedView;
  readonly deadlines: Deadlines;
}

export interface ReconcileOptions {
  readonly finishedTtlMs: number;
  readonly resyncIntervalMs: number;
}

/** More steps than any way through the plan has; beyond that something writes against us, which backoff has to calm. */
const MAX_STEPS = 40;
const MAX_CONFLICTS = 6;
/** After a token was issued: of many new workloads, each has its Secret before one has all the rest. */
const YIELD_MS = 100;

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
  const cached = deps.view(key);
  let view: ApplicationView = {
    ...cached,
    application: cached.exists ? await deps.client.get<Application>(refOf(cached), { signal }) : undefined,
    live: undefined,
    tried: new Set(),
    calls: deps.calls.of(key),
  };
  const { remainingMs } = deps.deadlines;
  let conflicts = 0;
  for (let count = 0; count < MAX_STEPS; count++) {
    signal.throwIfAborted();
    const { finishedTtlMs } = options;
    const step = planApplication(view, { now: deps.now(), finishedTtlMs, remainingMs });
    if (step.do === 'rest') {
      recordEvents(view.application, view.namespace, step.events ?? [], deps);
      deps.calls.retain(key, wantedCalls(view.application?.status?.shutdown));
      return restFor(step, view, deps.now(), options);
    }
    measureRounds(step, deps.deadlines);
    try {
      const outcome = await performStep(view, step, deps, signal);
      if (outcome.then === 'yield' || outcome.happened !== false)
        report(view, step, outcome.then === 'plan' ? outcome.view.application : view.application, deps);
      if (outcome.then === 'yield') return { requeueAfterMs: YIELD_MS };
      view = outcome.view;
    } catch (error) {
      conflicts += 1;
      if (!isOutdated(error) || conflicts > MAX_CONFLICTS) throw error;
      const application = await deps.client.get<Application>(refOf(view), { signal });
      // Caches may have learnt more by now.
      const { members, pods, namespaceState } = deps.view(key);
      view = { ...view, members, pods, namespaceState, application, live: undefined };
    }
  }
  throw new Error(
    'the application does not come to rest: something changes it as fast as it is brought in order',
  );
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
  app: Application | undefined,
  deps: StepDeps,
): void {
  if (step.do === 'observe' || step.do === 'observe-pods') return;
  if ('status' in step) countEnded(view.application?.status, step.status, deps.metrics);
  const events = 'events' in step ? step.events : [];
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
