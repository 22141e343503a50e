import { APPLICATIONS, type Application } from '../applications/index.ts';
import { createReflector, type Clock, type ReflectorMetrics, type WatchClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { projectGateApplication, type GateApplication } from './gate-application.ts';

export interface GateCacheOptions {
  readonly client: WatchClient;
  readonly logger: Logger;
  readonly metrics?: ReflectorMetrics;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** Applications by name, without a request to the API server. */
export interface GateLookup {
  get(namespace: string, name: string): GateApplication | undefined;
  /** List complete, watch open: what `get` shows is no older than the stream. */
  connected(): boolean;
}

/** A component of the process: the Applications of all namespaces, kept by list and watch. */
export interface GateCache extends GateLookup {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** The first list is complete. */
  ready(): boolean;
}

export function createGateCache(options: GateCacheOptions): GateCache {
  const reflector = createReflector<GateApplication>({
    ...options,
    resource: APPLICATIONS,
    // The API server has checked it against the schema; what throws all the same is logged and leaves what was known.
    project: (object) => projectGateApplication(object as Application),
    onChange: () => undefined,
  });
  return {
    name: 'gate: Application cache',
    start: (signal) => reflector.start(signal),
    stop: () => reflector.stop(),
    ready: () => reflector.ready(),
    connected: () => reflector.connected(),
    get: (namespace, name) => reflector.get(`${namespace}/${name}`),
  };
}
