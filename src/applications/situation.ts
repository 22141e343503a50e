import type { CompleteAction, Hook } from '../contract/index.ts';
import { MAX_WORKLOADS, isManaged, type Application, type ApplicationStatus } from './application.ts';
import type { ApplicationView, LiveState } from './application-view.ts';
import type { LiveWorkload } from './live-workload.ts';
import { compareRefs, unionOf } from './wish.ts';

/** How long what is over is kept, and what time it is (ms since 1970). */
export interface PlanTime {
  readonly now: number;
  readonly finishedTtlMs: number;
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
  const bound = new Set((status.workloads ?? []).map(({ uid }) => uid));
  const asking = live.workloads
    .filter((workload) => (managed ? asksByItself(workload) : isListed(app, workload)))
    .sort((a, b) => compareRefs(a.ref, b.ref))
    .slice(0, MAX_WORKLOADS);
  const wanted = managed ? unionOf(asking) : app.spec;
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
    survivors: live.workloads.filter(({ ref }) => bound.has(ref.uid)),
    hooks: view.namespaceState === 'enabled' && asking.length > 0 ? wanted.hooks : [],
    completeAction: wanted.completeAction,
    podCount: view.pods.filter(({ deleting }) => !deleting).length,
  };
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
