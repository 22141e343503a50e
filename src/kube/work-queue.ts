import type { Logger } from '../observability/index.ts';
import type { Clock } from './clock.ts';

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

export function createWorkQueue<K extends string>(options: WorkQueueOptions<K>): WorkQueue<K> {
  throw new Error(`not built yet: ${options.name}`);
}
