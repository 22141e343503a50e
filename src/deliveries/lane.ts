import { createWorkQueue, type ProcessResult, type WorkQueue } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createBreaker, type Breaker, type BreakerOptions } from './breaker.ts';

/** What one endpoint has for itself: its queue, its places, its breaker. */
export interface Lane {
  readonly queue: WorkQueue<string>;
  readonly breaker: Breaker;
  readonly concurrency: number;
}

export interface LaneOptions extends BreakerOptions {
  readonly concurrency: number;
}

/** Who stops in good order lets the calls under way end, so that none is repeated for it. */
const STOP_DEADLINE_MS = 3_000;
const WRITE_RETRY = { backoffBaseMs: 100, backoffMaxMs: 5_000 };

/** @param process one delivery, by key; what it throws (the API server is away) has it processed again soon */
export function createLane(
  name: string,
  { concurrency, ...breaker }: LaneOptions,
  process: (key: string, signal: AbortSignal) => Promise<ProcessResult | undefined>,
  logger: Logger,
): Lane {
  return {
    concurrency,
    breaker: createBreaker(breaker),
    queue: createWorkQueue({
      name: `deliveries of ${name}`,
      process,
      workers: concurrency,
      logger,
      stopDeadlineMs: STOP_DEADLINE_MS,
      ...WRITE_RETRY,
    }),
  };
}
