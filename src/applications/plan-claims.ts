import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_HOOKS,
  ANNOTATION_STAMPED_FROM,
  LABEL_APPLICATION,
  type Auth,
  type CompleteAction,
  type Hook,
} from '../contract/index.ts';
import type { ApplicationSpec } from './application.ts';
import type { Step } from './application-view.ts';
import type { LiveWorkload } from './live-workload.ts';
import { CLAIMED } from './member.ts';
import { isListed, type Situation } from './situation.ts';

/**
 * A hand-written Application gives the workloads that it lists our annotations and label, so that they are stamped like any other; a
 * workload that was given them and is no longer listed loses them. Jobs and Pods are left alone: nothing can be added to them.
 */
export function planClaims(s: Situation): Step | undefined {
  const { app, managed, live, view } = s;
  const isWanted = (workload: LiveWorkload) =>
    !managed && app.spec.hooks.length > 0 && isListed(app, workload);
  const stale = live.workloads.find(
    (workload) => workload.claimed && workload.ownLabel === app.metadata.name && !isWanted(workload),
  );
  if (stale !== undefined) return { do: 'release', workload: stale };
  if (view.namespaceState !== 'enabled') return undefined;

  const { hooks, completeAction, auth } = app.spec;
  const workload = live.workloads.find(
    (candidate) =>
      isWanted(candidate) &&
      candidate.ref.kind !== 'Job' &&
      candidate.ref.kind !== 'Pod' &&
      !candidate.deleting &&
      !view.tried.has(candidate.ref.uid) &&
      !isMarked(candidate, app.metadata.name, app.spec),
  );
  return workload && { do: 'claim', workload, hooks, completeAction, auth };
}

function isMarked(
  workload: LiveWorkload,
  application: string,
  { hooks, completeAction, auth }: Pick<ApplicationSpec, 'hooks' | 'completeAction' | 'auth'>,
): boolean {
  const hasHooks = workload.annotations[ANNOTATION_HOOKS] === hooks.join(',');
  const hasAction = workload.annotations[ANNOTATION_COMPLETE_ACTION] === completeAction;
  // The pods are made for it: admission reads it from the workload.
  const hasAuth = (workload.annotations[ANNOTATION_AUTH] ?? 'token') === auth;
  // What its user annotated in the same way is the user's, and is left so.
  return workload.ownLabel === application && hasHooks && hasAuth && (hasAction || !workload.claimed);
}

/** Merge patch that marks a workload for a hand-written Application; null takes away. */
export function claimPatch(
  application: string,
  hooks: readonly Hook[],
  completeAction: CompleteAction,
  auth: Auth,
): object {
  return {
    labels: { [LABEL_APPLICATION]: application },
    annotations: {
      [ANNOTATION_HOOKS]: hooks.join(','),
      [ANNOTATION_COMPLETE_ACTION]: completeAction,
      [ANNOTATION_AUTH]: auth === 'token' ? null : auth,
      [ANNOTATION_STAMPED_FROM]: CLAIMED,
    },
  };
}

export function releasePatch(): object {
  return {
    labels: { [LABEL_APPLICATION]: null },
    annotations: {
      [ANNOTATION_HOOKS]: null,
      [ANNOTATION_COMPLETE_ACTION]: null,
      [ANNOTATION_AUTH]: null,
      [ANNOTATION_STAMPED_FROM]: null,
    },
  };
}
