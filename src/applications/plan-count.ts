import type { Signal } from './application.ts';
import type { Step } from './application-view.ts';
import { nextStatus } from './next-status.ts';
import type { LivePod } from './shutdown/live-pod.ts';
import type { Situation } from './situation.ts';

// Who has to say that the application is complete (complete-when, docs/adr/0009-who-signals.md). Callbacks store each pod's word under its proven UID; here
// the words are counted, and what follows is one signal like any other.

interface Count {
  readonly done: number;
  readonly needed: number;
}

/** That a pod has succeeded stands in its status, which no watch shows. */
const CHECK_MS = 15_000;

/** Enough pods have said that they are complete: that is the complete signal. */
export function planCount(s: Situation): Step | undefined {
  const said = words(s);
  if (said === undefined) return undefined;
  if (s.live.pods === undefined) return { do: 'observe-pods' };
  const { done, needed } = count(s, said, s.live.pods);
  if (done < needed) return undefined;
  const complete = Object.values(said).reduce((last, one) => (one.receivedAt > last.receivedAt ? one : last));
  const status = nextStatus(s, { signals: { ...s.status.signals, complete } });
  return { do: 'store-complete', status, events: [] };
}

/** When to count again by itself (ms since 1970). */
export function countWakeUp(s: Situation): number | undefined {
  return words(s) === undefined ? undefined : s.now + CHECK_MS;
}

/** How far it is, for a person; undefined: nobody has said anything, or one is enough. */
export function countMessage(s: Situation): string | undefined {
  const said = words(s);
  if (said === undefined || s.live.pods === undefined) return undefined;
  const { done, needed } = count(s, said, s.live.pods);
  return `${done} of ${needed} pods are complete (complete-when ${s.app.spec.completeWhen})`;
}

/** Undefined: there is nothing to count. That one is enough is not for here: its word is stored as the signal itself. */
function words({ app, hooks, status }: Situation): Readonly<Record<string, Signal>> | undefined {
  const { complete, completeFrom = {} } = status.signals ?? {};
  const isCounted = app.spec.completeWhen !== 'any' && hooks.includes('complete');
  const isOpen = complete === undefined && status.finishedAt === undefined;
  return isCounted && isOpen && Object.keys(completeFrom).length > 0 ? completeFrom : undefined;
}

/**
 * A number: so many different pods have said it or succeeded, whether they are still there or not. `all`: every pod that is there has said it or
 * succeeded, one at least has said it, and none that the workloads want is missing: one that was replaced doesn't count, its successor does.
 */
function count(s: Situation, said: Readonly<Record<string, Signal>>, pods: readonly LivePod[]): Count {
  const there = pods.filter(({ deleting }) => !deleting);
  const hasSaid = ({ uid }: LivePod) => Object.hasOwn(said, uid);
  if (s.app.spec.completeWhen !== 'all') {
    const succeeded = there.filter((pod) => pod.succeeded && !hasSaid(pod));
    return {
      done: Object.keys(said).length + succeeded.length,
      needed: Number(s.app.spec.completeWhen),
    };
  }
  const running = there.filter(({ finished }) => !finished);
  const wanted = s.asking.reduce((sum, { deleting, wanted }) => sum + (deleting ? 0 : wanted), 0);
  const needed = Math.max(running.length, wanted);
  const done = running.filter(hasSaid).length;
  return there.some(hasSaid) ? { done, needed } : { done, needed: Math.max(needed, done + 1) };
}
