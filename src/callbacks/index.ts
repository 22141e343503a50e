export type { AnswerReason } from './answers.ts';
export {
  createApplicationCache,
  type ApplicationCache,
  type ApplicationCacheOptions,
} from './application-cache.ts';
export type {
  ApplicationLookup,
  KnownApplication,
  StoredSignal,
  StoredSignals,
} from './application-lookup.ts';
export { createAudit, type Audit, type AuditDeps } from './audit.ts';
export type { AuditedAnswer } from './audited-answer.ts';
export type { CallbackMetrics } from './callback-metrics.ts';
export {
  createCallbackRouter,
  type CallbackRouterDeps,
  type CallbackRouterOptions,
} from './callback-router.ts';
export type { CertificateIdentity, CertificateVerdict, ClientCertificates } from './client-certificates.ts';
export {
  createCallbacks,
  type Callbacks,
  type CallbacksDeps,
  type CallbacksOptions,
} from './create-callbacks.ts';
export {
  createGoodbyeStore,
  type GoodbyeResult,
  type GoodbyeStore,
  type ProvenGoodbye,
} from './goodbye-store.ts';
export type { Grounds } from './grounds.ts';
export { createIssuerKeys, type IssuerKeys } from './issuer-keys.ts';
export type { ClientCertificateMode } from './judge-certificate.ts';
export type { KnownCertificate, KnownFormerToken, KnownProofs } from './known-proofs.ts';
export type { KnownConversation, KnownPod, KnownShutdown } from './known-shutdown.ts';
export {
  createPodIdentity,
  type IdentityCheck,
  type PodIdentity,
  type PodIdentityDeps,
  type PodIdentityOptions,
} from './pod-identity.ts';
export { createPodMembership, type PodMembership, type PodReading } from './pod-membership.ts';
export type { Credentials, Evidence } from './prove-sender.ts';
export type { ReviewedPod } from './review-token.ts';
export {
  createShownCertificate,
  type ReadShownCertificate,
  type ShownCertificate,
  type ShownCertificateOptions,
} from './shown-certificate.ts';
export { createTrustedProxies } from './trusted-proxies.ts';
export {
  createSignalStore,
  type ProvenSignal,
  type SignalStore,
  type SignalStoreOptions,
  type StoreResult,
} from './signal-store.ts';
