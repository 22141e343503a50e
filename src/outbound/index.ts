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
