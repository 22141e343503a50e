export {
  createAddressPolicy,
  type AddressPolicy,
  type AddressPolicyOptions,
  type AddressRefusal,
  type AddressVerdict,
  type ApiServerAddress,
} from './address-policy.ts';
export {
  createOutboundCaller,
  type OutboundCallerDeps,
  type OutboundCallerOptions,
} from './create-caller.ts';
export * from './outbound-caller.ts';
export type { CallOutcome, OutboundMetrics } from './outbound-metrics.ts';
export {
  createHostResolver,
  type HostResolverOptions,
  type ResolveHost,
  type Resolution,
} from './resolve-host.ts';
export { classifyResult, type Verdict } from './classify-result.ts';
export {
  backoffMs,
  parseRetryAfter,
  retryDelayMs,
  type BackoffOptions,
  type RetryDelayOptions,
} from './retry-timing.ts';
export { SERVICE_REFUSED_AS, whyServiceRefused, type ServicePolicyOptions } from './service-policy.ts';
export {
  signWebhook,
  verifyWebhook,
  type ReceivedWebhook,
  type SigningKey,
  type Verification,
  type WebhookHeaders,
  type WebhookMessage,
} from './standard-webhooks.ts';
export { parseWebhookSecret, type ParsedSecret } from './webhook-secret.ts';
export type { BreakerOptions, EndpointHealth } from './circuit-breaker.ts';
export {
  createEndpointQueues,
  type EndpointQueues,
  type EndpointQueuesDeps,
  type EndpointState,
  type Processed,
  type QueueClock,
  type QueuesLoad,
} from './endpoint-queues.ts';
