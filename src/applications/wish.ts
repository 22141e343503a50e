import {
  DEFAULT_SHUTDOWN,
  HOOKS,
  SHUTDOWN_CAUSES,
  WORKLOAD_KINDS,
  type Auth,
  type CompleteAction,
  type Hook,
  type ShutdownChoice,
} from '../contract/index.ts';
import { MAX_WORKLOADS, UNSCALABLE_KINDS, type ApplicationSpec, type BoundWorkload } from './application.ts';
import type { ShutdownSpec } from './conversation.ts';
import type { LiveWorkload } from './live-workload.ts';
import type { Member } from './member.ts';

/** One workload and what it asks for, read live or from a watch cache. */
export type Wish = Pick<LiveWorkload, 'asked' | 'ref'>;

export interface Union {
  readonly hooks: Hook[];
  readonly completeAction: CompleteAction;
  readonly completeWhen: string;
  readonly auth: Auth;
  /** Undefined: the shutdown hook is off. */
  readonly shutdown: ShutdownSpec | undefined;
}

/** What a workload asks for as the watch cache knows it. */
export function wishOf(member: Member): Wish {
  const { kind, name, uid, completeAction, completeWhen, auth, shutdown } = member;
  const words = member.hooks.split(',');
  const hooks = HOOKS.filter((hook) => words.includes(hook));
  return {
    ref: { apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind, name, uid },
    asked:
      hooks.length === 0
        ? undefined
        : { hooks, completeAction, completeWhen, auth, shutdown, from: 'workload' },
  };
}

/**
 * What several workloads together ask for: all their hooks, and of different actions the mildest, which can be taken back. Scaling what has
 * no replicas is `none`. Of different proofs the token: its Secret is what the pods of the others can start with, too.
 */
export function unionOf(wishes: readonly Wish[]): Union {
  const asked = wishes.flatMap((wish) => (wish.asked === undefined ? [] : [wish.asked]));
  const hooks = HOOKS.filter((hook) => asked.some((request) => request.hooks.includes(hook)));
  const actions = new Set(asked.map(({ completeAction }) => completeAction));
  const mildest =
    (['none', 'scale-to-zero', 'delete'] as const).find((action) => actions.has(action)) ?? 'delete';
  const isPossible =
    mildest !== 'scale-to-zero' || !wishes.some(({ ref }) => UNSCALABLE_KINDS.includes(ref.kind));
  const shutdowns = asked.flatMap((request) =>
    request.hooks.includes('shutdown') ? [request.shutdown] : [],
  );
  const auth =
    asked.some((request) => request.auth === 'token') || asked.length === 0 ? 'token' : 'pod-identity';
  return {
    hooks,
    completeAction: isPossible ? mildest : 'none',
    completeWhen: auth === 'token' ? 'any' : mostPods(asked.map(({ completeWhen }) => completeWhen)),
    auth,
    shutdown: shutdowns.length === 0 ? undefined : mostCareful(shutdowns),
  };
}

/** Of different counts the one that takes the most pods. */
function mostPods(counts: readonly string[]): string {
  if (counts.includes('all')) return 'all';
  const numbers = counts.filter((count) => count !== 'any').map(Number);
  return numbers.length === 0 ? 'any' : String(Math.max(...numbers));
}

/** Of different wishes for the conversation the most careful: the longest time, the most rounds, every cause that one of them names. */
function mostCareful(choices: readonly ShutdownChoice[]): ShutdownSpec {
  const first = choices[0] ?? DEFAULT_SHUTDOWN;
  const chosen = choices.find(({ service }) => service !== DEFAULT_SHUTDOWN.service) ?? first;
  return {
    service: chosen.service,
    timeoutSeconds: Math.max(...choices.map(({ timeoutSeconds }) => timeoutSeconds)),
    retries: Math.max(...choices.map(({ retries }) => retries)),
    failure: choices.some(({ failure }) => failure === 'give-up') ? 'give-up' : 'delete',
    causes: SHUTDOWN_CAUSES.filter((cause) => choices.some(({ causes }) => causes.includes(cause))),
    when: chosen.when,
  };
}

/** The spec of an Application that follows annotations. Without UIDs: those that were found stand in the status. */
export function specOf(wishes: readonly Wish[]): ApplicationSpec {
  const workloads = refsOf(wishes).map(({ apiVersion, kind, name }) => ({ apiVersion, kind, name }));
  const { hooks, completeAction, completeWhen, auth, shutdown } = unionOf(wishes);
  return {
    workloads,
    hooks,
    completeAction,
    ...(shutdown === undefined ? {} : { shutdown }),
    completeWhen,
    auth,
  };
}

/** References in a fixed order, no more than an Application holds. */
export function refsOf(wishes: readonly Wish[]): BoundWorkload[] {
  return wishes
    .map(({ ref }) => ref)
    .sort(compareRefs)
    .slice(0, MAX_WORKLOADS);
}

/** By kind and name: the same order each time. */
export function compareRefs(a: BoundWorkload, b: BoundWorkload): number {
  return compare(a.kind, b.kind) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
