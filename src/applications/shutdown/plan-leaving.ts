import type { Step } from '../application-view.ts';
import type { Situation } from '../situation.ts';
import { isHolding } from '../conversation.ts';
import { isInhabited } from './live-pod.ts';

/**
 * The Application itself is being deleted, by a person or with its namespace. Its finalizer keeps the conversations until the last of its pods is
 * free or gone; then the Secret's comes off and its own.
 */
export function planLeaving(s: Situation): Step {
  const isEnding = s.view.namespaceState === 'terminating';
  const isHeld = (s.status.shutdown?.conversations ?? []).some(isHolding);
  const hasPods = isEnding && (s.live.pods ?? []).some(isInhabited);
  const hasHeld = isEnding && s.live.workloads.some(({ held }) => held);
  if (s.shutdown !== undefined && (isHeld || hasPods || hasHeld)) return { do: 'rest' };
  return letGo(s) ?? { do: 'rest' };
}

/** Takes our finalizers off the Secret and the Application, in this order. */
export function letGo(s: Situation): Step | undefined {
  const { secret } = s.live;
  if (secret.state === 'ours' && secret.held) return { do: 'release-secret', secret };
  return s.isKept ? { do: 'set-finalizer', wanted: false } : undefined;
}

/** Workloads, pods or the whole hook are not ours to hold any more. */
export function planUnheld(s: Situation): Step | undefined {
  const workload = s.live.workloads.find(
    (candidate) => candidate.held && !isHeldRightly(s, candidate) && !s.view.tried.has(candidate.ref.uid),
  );
  return workload && { do: 'release-workload', workload };
}

function isHeldRightly(s: Situation, workload: Situation['asking'][number]): boolean {
  if (s.shutdown === undefined) return false;
  if (workload.deleting) return true; // the conversation decides
  return workload.asked?.hooks.includes('shutdown') === true;
}

/** While the hook is on, the Application stays until the conversations are over, also when its namespace is deleted. */
export function planFinalizer(s: Situation): Step | undefined {
  // One that is over is let go with its time to live.
  if (s.asking.length === 0) return undefined;
  if (s.shutdown === undefined) return letGo(s);
  return s.isKept ? undefined : { do: 'set-finalizer', wanted: true };
}
