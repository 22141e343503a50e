import type { Logger } from '../observability/index.ts';
import { createBreaker, type Breaker, type BreakerOptions, type EndpointHealth } from './circuit-breaker.ts';
import { createDueList, type DueList } from './due-list.ts';

/** Time as the queues use it; the clock of the area `kube` is one. */
export interface QueueClock {
  /** Milliseconds of a clock that is never set. */
  monotonic(): number;
  /** Calls back once, so many milliseconds from now; the function returned cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** What became of an item. */
export interface Processed {
  readonly health: EndpointHealth;
  /** The item comes again, not before so many milliseconds; undefined: it is done. */
  readonly againInMs?: number;
  /** Nothing goes to this endpoint for so long: it has asked for it. */
  readonly pauseMs?: number;
}

export interface EndpointQueuesDeps {
  /** Deals with one item; what it needs to know it looks up by the key. A rejection is logged, and the item comes again. */
  readonly process: (endpoint: string, key: string, signal: AbortSignal) => Promise<Processed>;
  /** How many items of an endpoint may be dealt with at the same time; asked whenever one is to begin. */
  readonly concurrencyOf: (endpoint: string) => number;
  readonly clock: QueueClock;
  readonly logger: Logger;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface EndpointState {
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly waiting: number;
  readonly active: number;
}

/** Of all endpoints together. */
export interface QueuesLoad {
  readonly waiting: number;
  readonly active: number;
  /** Endpoints that are not called at the moment, since they have failed too often. */
  readonly openBreakers: number;
  /** By how much the item is late that is due for the longest time; 0: none is. */
  readonly lateMs: number;
}

/**
 * A queue, a concurrency and a circuit breaker for each endpoint, which share nothing: one that hangs or fails delays its own items only. All of it is
 * memory: what must survive (which items there are, when they are due) is the caller's to store and to add again.
 */
export interface EndpointQueues {
  /**
   * Puts an item into its endpoint's queue, due in so many milliseconds (default: now). One that waits already is due at the earlier of both times;
   * one that is just being dealt with comes again afterwards.
   */
  add(endpoint: string, key: string, dueInMs?: number): void;
  /** Somebody asks for a try now: ahead of all that waits, and neither breaker nor pause hold it. What becomes of it counts for the breaker as any other. */
  addFirst(endpoint: string, key: string): void;
  /** Takes an item out; one that is just being dealt with does not come again. */
  remove(endpoint: string, key: string): void;
  /** Closes the breaker and ends a pause: the endpoint is another one now. */
  reset(endpoint: string): void;
  /** Forgets an endpoint with all that waits for it. */
  drop(endpoint: string): void;
  /** Undefined: nothing is known of it. */
  state(endpoint: string): EndpointState | undefined;
  load(): QueuesLoad;
  /** Begins nothing any more, waits so long (default: not at all) for what is under way, then aborts it; resolves when that has ended. */
  stop(graceMs?: number): Promise<void>;
}

/** After a rejection of `process`, which is a defect. */
const AFTER_DEFECT_MS = 5_000;
/** Due before everything else. */
const FIRST_MS = Number.NEGATIVE_INFINITY;

interface Endpoint {
  readonly due: DueList;
  /** What is under way, and for those that were added meanwhile, when they come again. */
  readonly active: Map<string, { againAtMs: number | undefined; isRemoved: boolean }>;
  breaker: Breaker;
  pausedUntilMs: number;
  cancelTimer: () => void;
}

export function createEndpointQueues(deps: EndpointQueuesDeps, options: BreakerOptions): EndpointQueues {
  const { clock } = deps;
  const endpoints = new Map<string, Endpoint>();
  const underWay = new Set<Promise<void>>();
  const aborting = new AbortController();
  let isStopping = false;

  const endpointOf = (name: string): Endpoint => {
    const known = endpoints.get(name);
    if (known !== undefined) return known;
    const made: Endpoint = {
      due: createDueList(),
      active: new Map(),
      breaker: createBreaker(options, deps.random),
      pausedUntilMs: 0,
      cancelTimer: () => undefined,
    };
    endpoints.set(name, made);
    return made;
  };

  /** Begins what can begin, and wakes up when the next can. */
  const pump = (name: string, endpoint: Endpoint): void => {
    endpoint.cancelTimer();
    if (isStopping) return;
    for (;;) {
      const nowMs = clock.monotonic();
      const readyAtMs = readyAt(endpoint, nowMs);
      // Without an item, a place or a try there is nothing to wake up for: whoever changes that comes here again.
      if (readyAtMs === undefined) break;
      if (endpoint.active.size >= Math.max(1, deps.concurrencyOf(name))) break;
      if (readyAtMs > nowMs) {
        endpoint.cancelTimer(); // of a pump within this one
        endpoint.cancelTimer = clock.after(readyAtMs - nowMs, () => pump(name, endpoint));
        break;
      }
      const key = endpoint.due.takeFirst();
      if (key !== undefined) begin(name, endpoint, key);
    }
    forgetIfIdle(name, endpoint);
  };

  const begin = (name: string, endpoint: Endpoint, key: string): void => {
    const own = { againAtMs: undefined, isRemoved: false };
    endpoint.active.set(key, own);
    const work = run(name, endpoint, key).finally(() => underWay.delete(work));
    underWay.add(work);
  };

  const run = async (name: string, endpoint: Endpoint, key: string): Promise<void> => {
    const { breaker } = endpoint;
    const call = breaker.began(clock.monotonic());
    const processed = await processSafely(name, key);
    const nowMs = clock.monotonic();
    breaker.ended(call, processed.health, nowMs);
    if (processed.pauseMs !== undefined) {
      endpoint.pausedUntilMs = Math.max(endpoint.pausedUntilMs, nowMs + processed.pauseMs);
    }
    const own = endpoint.active.get(key);
    endpoint.active.delete(key);
    if (own?.againAtMs !== undefined) endpoint.due.add(key, own.againAtMs);
    if (processed.againInMs !== undefined && own?.isRemoved !== true) {
      endpoint.due.add(key, nowMs + processed.againInMs);
    }
    pump(name, endpoint);
  };

  const processSafely = async (name: string, key: string): Promise<Processed> => {
    try {
      return await deps.process(name, key, aborting.signal);
    } catch (error) {
      deps.logger.error('an item of an endpoint queue could not be dealt with', {
        endpoint: name,
        key,
        error: error instanceof Error ? error.message : String(error),
      });
      return { health: 'neutral', againInMs: AFTER_DEFECT_MS };
    }
  };

  /** A healthy endpoint with nothing to do need not be remembered. */
  const forgetIfIdle = (name: string, endpoint: Endpoint): void => {
    const nowMs = clock.monotonic();
    const isIdle = endpoint.due.size === 0 && endpoint.active.size === 0;
    const isHealthy = endpoint.breaker.state(nowMs) === 'closed' && endpoint.pausedUntilMs <= nowMs;
    if (isIdle && isHealthy && endpoints.get(name) === endpoint) endpoints.delete(name);
  };

  const resetEndpoint = (name: string, endpoint: Endpoint): void => {
    endpoint.breaker = createBreaker(options, deps.random);
    endpoint.pausedUntilMs = 0;
    pump(name, endpoint);
  };

  const addAt = (name: string, key: string, dueMs: number): void => {
    if (isStopping) return;
    const endpoint = endpointOf(name);
    const active = endpoint.active.get(key);
    if (active === undefined) endpoint.due.add(key, dueMs);
    else active.againAtMs = Math.min(active.againAtMs ?? dueMs, dueMs);
    pump(name, endpoint);
  };

  return {
    add: (name, key, dueInMs = 0) => addAt(name, key, clock.monotonic() + Math.max(0, dueInMs)),
    addFirst: (name, key) => addAt(name, key, FIRST_MS),
    remove: (name, key) => {
      const endpoint = endpoints.get(name);
      if (endpoint === undefined) return;
      endpoint.due.remove(key);
      const active = endpoint.active.get(key);
      if (active !== undefined) {
        active.againAtMs = undefined;
        active.isRemoved = true;
      }
      pump(name, endpoint);
    },
    reset: (name) => {
      const endpoint = endpoints.get(name);
      if (endpoint !== undefined) resetEndpoint(name, endpoint);
    },
    drop: (name) => {
      const endpoint = endpoints.get(name);
      if (endpoint === undefined) return;
      while (endpoint.due.takeFirst() !== undefined);
      for (const active of endpoint.active.values()) {
        active.againAtMs = undefined;
        active.isRemoved = true;
      }
      resetEndpoint(name, endpoint);
    },
    state: (name) => {
      const endpoint = endpoints.get(name);
      if (endpoint === undefined) return undefined;
      const { due, active, breaker } = endpoint;
      return { breaker: breaker.state(clock.monotonic()), waiting: due.size, active: active.size };
    },
    load: () => loadOf([...endpoints.values()], clock.monotonic()),
    stop: async (graceMs = 0) => {
      isStopping = true;
      for (const { cancelTimer } of endpoints.values()) cancelTimer();
      const abort = (): void => aborting.abort(new Error('the endpoint queues are stopping'));
      if (graceMs <= 0) abort();
      const cancel = clock.after(graceMs, abort);
      await Promise.all(underWay);
      cancel();
    },
  };
}

/** When its first item may begin; undefined: there is none, or a call is just trying. */
function readyAt({ due, breaker, pausedUntilMs }: Endpoint, nowMs: number): number | undefined {
  const firstDueMs = due.firstDueMs();
  if (firstDueMs === undefined || firstDueMs === FIRST_MS) return firstDueMs;
  const openAtMs = breaker.notBeforeMs(nowMs);
  return openAtMs === undefined ? undefined : Math.max(firstDueMs, openAtMs, pausedUntilMs);
}

function loadOf(endpoints: readonly Endpoint[], nowMs: number): QueuesLoad {
  let [waiting, active, openBreakers, lateMs] = [0, 0, 0, 0];
  for (const { due, active: underWay, breaker } of endpoints) {
    waiting += due.size;
    active += underWay.size;
    if (breaker.state(nowMs) !== 'closed') openBreakers += 1;
    const firstDueMs = due.firstDueMs() ?? nowMs;
    if (firstDueMs !== FIRST_MS) lateMs = Math.max(lateMs, nowMs - firstDueMs);
  }
  return { waiting, active, openBreakers, lateMs };
}
