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
export type { CallbackMetrics } from './callback-metrics.ts';
export {
  createCallbackRouter,
  type CallbackRouterDeps,
  type CallbackRouterOptions,
} from './callback-router.ts';
export {
  createGoodbyeStore,
  type GoodbyeResult,
  type GoodbyeStore,
  type ProvenGoodbye,
} from './goodbye-store.ts';
export type { KnownConversation, KnownPod, KnownShutdown } from './known-shutdown.ts';
export {
  createSignalStore,
  type ProvenSignal,
  type SignalStore,
  type SignalStoreOptions,
  type StoreResult,
} from './signal-store.ts';
