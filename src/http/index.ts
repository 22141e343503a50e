export { bearerOf } from './bearer.ts';
export type { ClientFailure } from './client-error.ts';
export type { Refusal } from './connections.ts';
export type { Listener, ListenerMetrics, ListenerOptions } from './create-listener.ts';
export { createHttpListener } from './http-listener.ts';
export {
  createHttpsListener,
  type ClientTrustSource,
  type HttpsListenerOptions,
  type TlsSource,
} from './https-listener.ts';
export { DEFAULT_LIMITS, type ListenerLimits } from './listener-limits.ts';
export { parseJson, type JsonResult } from './parse-json.ts';
export { problemBody, sendProblem, sendProblemAndClose, type Problem } from './problem.ts';
export { addressOf, sourceOf } from './source-of.ts';
export {
  createTokenBuckets,
  takeOfEach,
  type TokenBuckets,
  type TokenBucketsOptions,
} from './token-buckets.ts';
export { readBody, type BodyResult, type ReadBodyOptions } from './read-body.ts';
export { isMeantFor, unverifiedClaims } from './unverified-claims.ts';
