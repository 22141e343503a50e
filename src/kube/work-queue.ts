import type { Logger } from '../observability/index.ts';
import { backoffDelay } from './backoff.ts';
import { systemClock, type Clock } from './clock.ts';
import { createDelayHeap } from './delay-heap.ts';
import { createFifo } from './fifo.ts';
import { KubeApiError } from './kube-api-error.ts';

export interface WorkQueueOptions<K extends string> {
  readonly name: string;
  /**
   * Brings one key's world in order; runs at most once at a time for a key. Throwing is a failure: tried again with backoff (not before
   * a KubeApiError's retryAfterSeconds). The signal is aborted when the queue must end now.
   */
  readonly process: (key: K, signal: AbortSignal) => Promise<ProcessResult | undefined>;
  readonly workers: number;
  readonly logger: Logger;
  readonly backoffBaseMs?: number;
  readonly backoffMaxMs?: number;
  /** How long stop() lets running ones go on before their signal is aborted; default 10 s. */
  readonly stopDeadlineMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly metrics?: WorkQueueMetrics;
}

export interface ProcessResult {
  /** Look at the key again after this time, though nothing happens until then. */
  readonly requeueAfterMs?: number;
}

export interface WorkQueueMetrics {
  depth(queue: string, keys: number): void;
  waited(queue: string, seconds: number): void;
  processed(queue: string, outcome: 'success' | 'failure', seconds: number): void;
  retried(queue: string): void;
}

export interface WorkQueue<K extends string> {
  readonly name: string;
  /** Adds a key now; a key that waits already is not added twice, one that is being processed is processed once more afterwards. */
  add(key: K): void;
  /** Adds a key later; of several times the earliest counts. */
  addAfter(key: K, delayMs: number): void;
  /** Starts the workers; keys may be added before. When the signal is aborted, nothing more is begun and running ones are told. May be started again after it ended. */
  start(signal: AbortSignal): Promise<void>;
  /** Begins nothing more and waits for the running ones, at the deadline aborts their signal. Keys that wait are kept. */
  stop(): Promise<void>;
  /** Running. */
  ready(): boolean;
  /** Keys that wait to be processed now, without the delayed ones. */
  depth(): number;
}

interface Session {
  readonly controller: AbortController;
  /** Forgets the signal that the session was started with. */
  readonly detach: () => void;
}

const DEFAULT_BACKOFF = { baseMs: 200, maxMs: 300_000 };
const DEFAULT_STOP_DEADLINE_MS = 10_000;

/** A work queue after client-go's: see WorkQueue for what it promises. All state is in memory; keys come back from a list. */
export function createWorkQueue<K extends string>(options: WorkQueueOptions<K>): WorkQueue<K> {
  const { name, logger, metrics, clock = systemClock, random = Math.random } = options;
  const backoff = {
    baseMs: options.backoffBaseMs ?? DEFAULT_BACKOFF.baseMs,
    maxMs: options.backoffMaxMs ?? DEFAULT_BACKOFF.maxMs,
  };
  const order = createFifo<{ readonly key: K; readonly since: number }>();
  const waiting = new Set<K>();
  const running = new Set<K>();
  /** Added while being processed. */
  const again = new Set<K>();
  const failures = new Map<K, number>();
  const delayed = createDelayHeap<K>();
  let session: Session | undefined;
  let timer: { readonly at: number; readonly cancel: () => void } | undefined;
  const onIdle: (() => void)[] = [];

  const add = (key: K): void => {
    if (running.has(key)) {
      again.add(key);
    } else if (!waiting.has(key)) {
      waiting.add(key);
      order.push({ key, since: clock.monotonic() });
      metrics?.depth(name, waiting.size);
      dispatch();
    }
  };

  const addAfter = (key: K, delayMs: number): void => {
    if (delayMs <= 0) {
      add(key);
      return;
    }
    delayed.push(key, clock.monotonic() + delayMs);
    armTimer();
  };

  const armTimer = (): void => {
    const at = session === undefined ? undefined : delayed.nextAt();
    if (at !== undefined && timer !== undefined && timer.at <= at) return;
    timer?.cancel();
    timer = at === undefined ? undefined : { at, cancel: clock.after(at - clock.monotonic(), addDue) };
  };

  const addDue = (): void => {
    timer = undefined;
    const now = clock.monotonic();
    for (let key = delayed.popDue(now); key !== undefined; key = delayed.popDue(now)) add(key);
    armTimer();
  };

  const dispatch = (): void => {
    while (session !== undefined && running.size < options.workers) {
      const next = order.shift();
      if (next === undefined) return;
      waiting.delete(next.key);
      running.add(next.key);
      metrics?.depth(name, waiting.size);
      metrics?.waited(name, (clock.monotonic() - next.since) / 1_000);
      void run(next.key, session.controller.signal);
    }
  };

  const run = async (key: K, signal: AbortSignal): Promise<void> => {
    const startedAt = clock.monotonic();
    try {
      // Never inside of add(): whoever adds is not made to do the work.
      const result = await Promise.resolve().then(() => options.process(key, signal));
      metrics?.processed(name, 'success', (clock.monotonic() - startedAt) / 1_000);
      failures.delete(key);
      if (result?.requeueAfterMs !== undefined) addAfter(key, result.requeueAfterMs);
    } catch (error) {
      if (signal.aborted)
        again.add(key); // interrupted, not failed: the next start takes it up
      else retryLater(key, error, startedAt);
    }
    running.delete(key);
    if (again.delete(key)) add(key);
    dispatch();
    if (running.size === 0) for (const wake of onIdle.splice(0)) wake();
  };

  const retryLater = (key: K, error: unknown, startedAt: number): void => {
    metrics?.processed(name, 'failure', (clock.monotonic() - startedAt) / 1_000);
    metrics?.retried(name);
    const attempt = (failures.get(key) ?? 0) + 1;
    failures.set(key, attempt);
    const askedMs = error instanceof KubeApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
    const delayMs = Math.max(askedMs, backoffDelay(backoff, attempt, random()));
    const message = error instanceof Error ? error.message : String(error);
    logger.warn('processing failed, will be tried again', {
      queue: name,
      key,
      attempt,
      retryInMs: Math.round(delayMs),
      error: message,
    });
    addAfter(key, delayMs);
  };

  const end = (): Session | undefined => {
    const ended = session;
    session = undefined;
    ended?.detach();
    armTimer();
    return ended;
  };

  const start = (signal: AbortSignal): Promise<void> => {
    if (session !== undefined) throw new Error(`work queue ${name}: is running already`);
    if (signal.aborted) return Promise.resolve();
    const controller = new AbortController();
    const onAbort = () => end()?.controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    session = { controller, detach: () => signal.removeEventListener('abort', onAbort) };
    addDue();
    dispatch();
    return Promise.resolve();
  };

  const stop = async (): Promise<void> => {
    const ended = end();
    if (running.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(options.stopDeadlineMs ?? DEFAULT_STOP_DEADLINE_MS, () => {
        logger.warn('work queue stopped before all was done', { queue: name, running: running.size });
        ended?.controller.abort(new Error(`work queue ${name}: stop deadline`));
        resolve();
      });
      onIdle.push(() => {
        cancel();
        resolve();
      });
    });
  };

  return { name, add, addAfter, start, stop, ready: () => session !== undefined, depth: () => waiting.size };
}
