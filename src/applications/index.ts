export { buildApplicationCrd } from './application-crd.ts';
export {
  createApplicationController,
  type ApplicationController,
  type ApplicationControllerDeps,
  type ApplicationControllerOptions,
} from './application-controller.ts';
export * from './application.ts';
export * from './conversation.ts';
export { completePodsOf, isComplete, type CompletePods } from './complete-signal.ts';
export { hasEnded, hasStarted, type PodProgress } from './pod-progress.ts';
export type { ShutdownCall, ShutdownCaller } from './shutdown/call-application.ts';
export type { CallEnd } from './shutdown/conversation-calls.ts';
export type {
  CertificateSource,
  ControllerMetrics,
  IssuedCertificate,
  TrustSource,
} from './controller-deps.ts';
