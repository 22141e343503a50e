import { DEFAULT_SHUTDOWN, FINALIZER_SHUTDOWN, type CompleteAction, type Hook } from '../contract/index.ts';
import {
  MAX_WORKLOADS,
  isManaged,
  type Application,
  type ApplicationSpec,
  type ApplicationStatus,
} from './application.ts';
import { completePodsOf, type CompletePods } from './complete-signal.ts';
import type { ApplicationView, LiveState } from './application-view.ts';
import type { Conversation, ShutdownSpec } from './conversation.ts';
import type { LiveWorkload } from './live-workload.ts';
import { compareRefs, unionOf } from './wish.ts';

/** How long what is over is kept, and what time it is (ms since 1970). */
export interface PlanTime {
  readonly now: number;
  readonly finishedTtlMs: number;
  /** How long the round of a conversation has left; 0 or less: its deadline has passed. */
  readonly remainingMs: (conversation: Conversation) => number;
  /** At what age tokens are replaced, and how long the former ones are taken after that; undefined or 0: they are kept. */
  readonly tokens?: { readonly lifetimeMs: number; readonly graceMs: number } | undefined;
}

/** A view whose Application is there and whose workloads were read live, with what follows from it. */
export interface Situation extends PlanTime {
  readonly view: ApplicationView;
  readonly app: Application;
  readonly status: ApplicationStatus;
  readonly live: LiveState;
  readonly managed: boolean;
  /** UIDs that the token and the signals speak of. */
  readonly bound: ReadonlySet<string>;
  /** The workloads that make up the application now. */
  readonly asking: readonly LiveWorkload[];
  /** Those of them that the token speaks of already. */
  readonly continuing: readonly LiveWorkload[];
  /** Workloads that the token speaks of and that exist, whether they still ask or not. */
  readonly survivors: readonly LiveWorkload[];
  /** Hooks that are on; empty: all are off. */
  readonly hooks: readonly Hook[];
  readonly completeAction: CompleteAction;
  /** How it wants to be asked to shut down; undefined: the hook is off. */
  readonly shutdown: ShutdownSpec | undefined;
  /** The pods that are complete, as the application has said; undefined: it has not. */
  readonly complete: CompletePods | undefined;
  /** It has said that it is complete, and that is, or was, carried out. */
  readonly completing: boolean;
  /** Our finalizer is on the Application. */
  readonly isKept: boolean;
  /** Labelled pods that are not being deleted. */
  readonly podCount: number;
}

export function buildSituation(
  view: ApplicationView,
  app: Application,
  live: LiveState,
  time: PlanTime,
): Situation {
  const managed = isManaged(app);
  const status = app.status ?? {};
  const complete = completePodsOf(app);
  const bound = new Set((status.workloads ?? []).map(({ uid }) => uid));
  const asking = live.workloads
    .filter((workload) => (managed ? asksByItself(workload) : isListed(app, workload)))
    .sort((a, b) => compareRefs(a.ref, b.ref))
    .slice(0, MAX_WORKLOADS);
  const wanted = managed ? unionOf(asking) : app.spec;
  const survivors = live.workloads.filter(({ ref }) => bound.has(ref.uid));
  // One that was asking and asks no more has switched its hooks off, also while it is being deleted.
  const hasWorkload = asking.length > 0 || survivors.length > 0;
  const hooks = view.namespaceState === 'disabled' || asking.length === 0 ? [] : wanted.hooks;
  return {
    ...time,
    view,
    app,
    status,
    live,
    managed,
    bound,
    asking,
    continuing: asking.filter(({ ref }) => bound.has(ref.uid)),
    survivors,
    hooks,
    completeAction: wanted.completeAction,
    shutdown: view.namespaceState === 'disabled' ? undefined : shutdownOf(hasWorkload, app.spec, wanted),
    complete,
    completing: complete === 'all',
    isKept: app.metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true,
    podCount: view.pods.filter(({ deleting }) => !deleting).length,
  };
}

/** Pods that are left without their workload are asked as their application last wanted it. */
function shutdownOf(
  hasWorkload: boolean,
  spec: ApplicationSpec,
  wanted: Pick<ApplicationSpec, 'hooks' | 'shutdown'>,
): ShutdownSpec | undefined {
  const from = hasWorkload ? wanted : spec;
  return from.hooks.includes('shutdown')
    ? (from.shutdown ?? { ...DEFAULT_SHUTDOWN, causes: [...DEFAULT_SHUTDOWN.causes] })
    : undefined;
}

/** Listed by a hand-written Application, and free to be part of it. */
export function isListed(app: Application, workload: LiveWorkload): boolean {
  if (workload.isPart || (workload.ownLabel !== undefined && workload.ownLabel !== app.metadata.name))
    return false;
  return app.spec.workloads.some(
    ({ kind, name, uid }) =>
      kind === workload.ref.kind &&
      name === workload.ref.name &&
      (uid === undefined || uid === workload.ref.uid),
  );
}

/** Annotations that we wrote ourselves for a hand-written Application count only as long as that is there. */
function asksByItself(workload: LiveWorkload): boolean {
  return workload.asked !== undefined && !workload.claimed;
}
