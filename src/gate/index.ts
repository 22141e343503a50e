export {
  createGateCache,
  type GateCache,
  type GateCacheOptions,
  type GateLookup,
} from './application-cache.ts';
export {
  createGateHandler,
  GATE_PATH,
  type GateHandlerDeps,
  type GateHandlerOptions,
} from './gate-handler.ts';
export type { GateMetrics, GateOutcome, GateReason, GateRequestKind } from './gate-metrics.ts';
