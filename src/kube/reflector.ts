import type { Logger } from '../observability/index.ts';
import { backoffDelay } from './backoff.ts';
import { pause, systemClock, type Clock } from './clock.ts';
import { KubeApiError } from './kube-api-error.ts';
import type { KubeObject, Resource, WatchClient } from './kube-client.ts';
import { listInto, watchInto, type Selection } from './list-and-watch.ts';
import { createProjectionStore } from './projection-store.ts';

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
  /** A watch that brings nothing, not even a bookmark, for this long is taken for dead; default 150 s. */
  readonly idleTimeoutMs?: number;
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

/** Restarts spread over this, so that replicas do not all come at the same time. */
const WATCH_SECONDS = { least: 300, spread: 300 } as const;
/** The API server sends a bookmark about every minute; after two that did not come the connection counts as dead. */
const DEFAULT_IDLE_TIMEOUT_MS = 150_000;
const BACKOFF = { baseMs: 200, maxMs: 10_000 };
/** No Retry-After makes a cache wait longer than this. */
const MAX_RETRY_AFTER_MS = 30_000;
/** A watch that ends sooner without an event was no success. */
const SHORTEST_GOOD_WATCH_MS = 2_000;

/** A watch cache after client-go's reflector: see Reflector for what it promises, README.md for how it recovers. */
export function createReflector<T extends object>(options: ReflectorOptions<T>): Reflector<T> {
  const { client, resource, logger, metrics, clock = systemClock, random = Math.random } = options;
  const kind = resource.plural;
  const selection: Selection = {
    resource,
    namespace: options.namespace,
    selectors: {
      ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
      ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
      ...(options.metadataOnly === undefined ? {} : { metadataOnly: options.metadataOnly }),
    },
  };
  const store = createProjectionStore<T>({
    project: options.project,
    onChange: options.onChange,
    onHandlerError: (key, error) => {
      metrics?.handlerFailed(kind);
      logger.error('a handler of the watch cache threw', { resource: kind, key, error: messageOf(error) });
    },
  });
  let resourceVersion: string | undefined;
  let synced = false;
  let connected = false;
  let running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  const list = async (signal: AbortSignal): Promise<string> => {
    const startedAt = clock.monotonic();
    const version = await listInto(store, client, selection, signal);
    metrics?.listed(kind, synced);
    logger.info(synced ? 'listed again' : 'listed', {
      resource: kind,
      kept: store.entries.size,
      ms: Math.round(clock.monotonic() - startedAt),
    });
    synced = true;
    return version;
  };

  /** One watch, from its beginning to its end. A good one has brought something or held for a while. */
  const watch = async (from: string, signal: AbortSignal, onGoodWatch: () => void): Promise<void> => {
    const timeoutSeconds = WATCH_SECONDS.least + Math.floor(random() * WATCH_SECONDS.spread);
    const idleTimeoutMs = options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS;
    let openedAt = Number.POSITIVE_INFINITY;
    const isGood = () => resourceVersion !== from || clock.monotonic() - openedAt >= SHORTEST_GOOD_WATCH_MS;
    try {
      await watchInto(
        store,
        client,
        selection,
        { resourceVersion: from, timeoutSeconds, idleTimeoutMs, signal },
        {
          onOpen: () => {
            connected = true;
            openedAt = clock.monotonic();
          },
          onProgress: (version) => {
            resourceVersion = version;
          },
        },
      );
    } finally {
      if (isGood()) onGoodWatch();
    }
    if (!isGood()) throw new Error('the watch ended as soon as it had begun');
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    let attempt = 0;
    let wasGone = false;
    do {
      try {
        resourceVersion ??= await list(signal);
        await watch(resourceVersion, signal, () => {
          attempt = 0;
        });
      } catch (error) {
        connected = false;
        if (signal.aborted) return;
        attempt += 1;
        if (mustListAgain(error)) resourceVersion = undefined;
        // A watch that is merely too old, as after an outage, needs no pause, only a list; unless that has just not helped.
        const isExpired = isGone(error) && !wasGone;
        wasGone = isGone(error);
        await pause(clock, failed(error, attempt, isExpired), signal);
      }
    } while (!signal.aborted);
  };

  /** Tells of a failure; returns how long to wait. */
  const failed = (error: unknown, attempt: number, isExpired: boolean): number => {
    const reason = error instanceof KubeApiError ? error.reason : 'Unreachable';
    const retryInMs = isExpired ? 0 : Math.max(backoffDelay(BACKOFF, attempt, random()), retryAfterMs(error));
    metrics?.failed(kind, reason);
    const level = attempt % 10 === 1 && !isExpired ? 'warn' : 'debug';
    logger[level]('list or watch failed, will be tried again', {
      resource: kind,
      reason,
      attempt,
      retryInMs: Math.round(retryInMs),
      error: messageOf(error),
    });
    return retryInMs;
  };

  const stop = async (): Promise<void> => {
    running?.controller.abort(new Error('stopped'));
    await running?.ended;
  };

  return {
    name: `reflector ${kind}`,
    start: (signal) => {
      if (running !== undefined) throw new Error(`reflector ${kind}: is running already`);
      const controller = new AbortController();
      const onAbort = () => controller.abort(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const ended = run(controller.signal).finally(() => {
        signal.removeEventListener('abort', onAbort);
        connected = false;
        running = undefined;
      });
      running = { controller, ended };
      return Promise.resolve();
    },
    stop,
    ready: () => synced,
    connected: () => connected,
    store: store.entries,
    get: (key) => store.entries.get(key),
  };
}

function isGone(error: unknown): boolean {
  return error instanceof KubeApiError && error.status === 410;
}

/** Answers that say that no watch goes on from here: too old, not understood, resource gone, or ahead of the API server's data (504). */
function mustListAgain(error: unknown): boolean {
  return error instanceof KubeApiError && [400, 404, 410, 504].includes(error.status);
}

function retryAfterMs(error: unknown): number {
  const seconds = error instanceof KubeApiError ? (error.retryAfterSeconds ?? 0) : 0;
  return Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
