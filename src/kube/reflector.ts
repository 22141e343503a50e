import type { Logger } from '../observability/index.ts';
import type { Clock } from './clock.ts';
import type { KubeObject, Resource, WatchClient } from './kube-client.ts';

export interface ReflectorOptions<T extends object> {
  readonly client: WatchClient;
  readonly resource: Resource;
  /** Default: all namespaces, or the cluster-scoped resource. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Lists and watches PartialObjectMetadata: `project` sees metadata alone. */
  readonly metadataOnly?: boolean;
  /** What is kept of an object; undefined: the object is not of interest. Pure; does not keep the object itself. */
  readonly project: (object: KubeObject) => T | undefined;
  /**
   * Called after the store has changed, once for each change of a projection: `before` undefined when new, `after` undefined when gone or no
   * longer of interest. Equal projections are no change. Enqueues and returns; what it throws is logged and counted, never repeated.
   */
  readonly onChange: (key: string, before: T | undefined, after: T | undefined) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Numbers in [0, 1); default Math.random. */
  readonly random?: () => number;
  readonly metrics?: ReflectorMetrics;
}

export interface ReflectorMetrics {
  /** A list was completed; `relist` is false only for the first. */
  listed(resource: string, relist: boolean): void;
  /** A list or watch failed and is tried again. */
  failed(resource: string, reason: string): void;
  /** `project` or `onChange` threw. */
  handlerFailed(resource: string): void;
}

/** A watch cache of one resource. Keys are `namespace/name`, or `name` for cluster-scoped objects. */
export interface Reflector<T extends object> {
  readonly name: string;
  /** Starts listing and watching; resolves at once, `ready()` tells when it is synced. Ends when the signal is aborted. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** The first list is complete; stays true. */
  ready(): boolean;
  /** The list is complete and a watch is open: the store lags by no more than the stream. */
  connected(): boolean;
  readonly store: ReadonlyMap<string, T>;
  get(key: string): T | undefined;
}

export function createReflector<T extends object>(options: ReflectorOptions<T>): Reflector<T> {
  throw new Error(`not built yet: ${options.resource.plural}`);
}
