import { APPLICATIONS } from '../applications/index.ts';
import { createReflector, type Clock, type ReflectorMetrics, type WatchClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import type { ApplicationLookup, KnownApplication } from './application-lookup.ts';
import { projectApplication } from './project-application.ts';

export interface ApplicationCacheOptions {
  readonly client: WatchClient;
  readonly logger: Logger;
  readonly metrics?: ReflectorMetrics;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A component of the process: the Applications of all namespaces, kept by list and watch. */
export interface ApplicationCache extends ApplicationLookup {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export function createApplicationCache(options: ApplicationCacheOptions): ApplicationCache {
  const reflector = createReflector<KnownApplication>({
    ...options,
    resource: APPLICATIONS,
    project: projectApplication,
    onChange: () => undefined,
  });
  return {
    name: 'callbacks: Application cache',
    start: (signal) => reflector.start(signal),
    stop: () => reflector.stop(),
    ready: () => reflector.ready(),
    connected: () => reflector.connected(),
    get: (namespace, name) => reflector.get(`${namespace}/${name}`),
  };
}
