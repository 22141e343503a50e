import type { ShutdownCause } from '../contract/index.ts';

/** Why a pod is to go; `unstoppable`: whoever asks only clears away what has ended anyway, and refusing would hold nothing. */
export type Cause = ShutdownCause | 'unstoppable';

const CONTROLLERS = 'system:serviceaccount:kube-system:';
/** Kubelets remove the objects of pods that have ended. */
const KUBELETS = 'system:node:';

/**
 * Those whom Kubernetes itself sends, by the account that each of them has of its own (`--use-service-account-credentials`, as every usual
 * installation has it). Without that option all of them are `system:kube-controller-manager`, and everything is a deletion.
 */
const KNOWN_CALLERS: ReadonlyMap<string, Cause> = new Map<string, Cause>([
  // Preemption deletes.
  ['system:kube-scheduler', 'eviction'],
  // Taints that say NoExecute, and before Kubernetes 1.29 the node controller for them.
  [`${CONTROLLERS}taint-eviction-controller`, 'eviction'],
  [`${CONTROLLERS}device-taint-eviction-controller`, 'eviction'],
  [`${CONTROLLERS}node-controller`, 'eviction'],
  // Fewer replicas, a new revision, a Job that is suspended or over its limits.
  [`${CONTROLLERS}deployment-controller`, 'scale-down'],
  [`${CONTROLLERS}replicaset-controller`, 'scale-down'],
  [`${CONTROLLERS}replication-controller`, 'scale-down'],
  [`${CONTROLLERS}statefulset-controller`, 'scale-down'],
  [`${CONTROLLERS}daemon-set-controller`, 'scale-down'],
  [`${CONTROLLERS}job-controller`, 'scale-down'],
  // Pods whose node is gone, or that have ended.
  [`${CONTROLLERS}pod-garbage-collector`, 'unstoppable'],
]);

/**
 * The cause, from who asks: an owner's deletion comes by the garbage collector or the namespace controller, and everybody who is
 * not known deletes on somebody's behalf.
 */
export function causeOf(username: string, isEviction: boolean): Cause {
  if (isEviction) return 'eviction';
  if (username.startsWith(KUBELETS)) return 'unstoppable';
  return KNOWN_CALLERS.get(username) ?? 'deletion';
}
