export { pause, systemClock, type Clock } from './clock.ts';
export { createKubeClient, type KubeClientOptions } from './create-kube-client.ts';
export { createEventRecorder, type EventRecorder, type EventRecorderOptions } from './event-recorder.ts';
export { createFailureBreaker, type FailureBreaker } from './failure-breaker.ts';
export { isConflict, isNotFound, KubeApiError } from './kube-api-error.ts';
export type * from './kube-client.ts';
export { KubeUnreachableError } from './kube-unreachable-error.ts';
export type { RecordedEvent, Regarding } from './recorded-event.ts';
export { createLeaderElector, type LeaderElector, type LeaderElectorOptions } from './leader-elector.ts';
export {
  createReflector,
  type Reflector,
  type ReflectorMetrics,
  type ReflectorOptions,
} from './reflector.ts';
export { buildStructuralSchema, type StructuralSchema } from './structural-schema.ts';
export {
  createWorkQueue,
  type ProcessResult,
  type WorkQueue,
  type WorkQueueMetrics,
  type WorkQueueOptions,
} from './work-queue.ts';
