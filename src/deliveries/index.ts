export { eventType } from './build-request.ts';
export { createDeliverer, type Deliverer, type DelivererDeps, type DelivererOptions } from './deliverer.ts';
export { createDelivererEvents, type DelivererEvents } from './deliverer-events.ts';
export { outcomeLabel, type DelivererMetrics } from './deliverer-metrics.ts';
export { createEndpointStatus, type EndpointStatus } from './endpoint-status.ts';
export { createOutcomeWriter, type OutcomeWriter } from './outcome-writer.ts';
export { createSigningKeys, type SigningKeys } from './signing-keys.ts';
