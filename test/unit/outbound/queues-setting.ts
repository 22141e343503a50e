import { createEndpointQueues, type Processed } from '../../../src/outbound/index.ts';
import { createManualClock, settle } from '../kube/manual-clock.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';

const BREAKER = { failures: 3, openMs: 10_000, maxOpenMs: 60_000 };
export const OK: Processed = { health: 'healthy' };
export const FAILED: Processed = { health: 'failing', againInMs: 1_000 };

export type Behave = (endpoint: string, key: string, signal: AbortSignal) => Promise<Processed>;

/** Queues of a manual clock, and what was begun when. */
export function setting(behave: Behave, concurrency = 2) {
  const clock = createManualClock();
  const startedAt = clock.monotonic();
  const logger = createRecordingLogger();
  const calls: string[] = [];
  const queues = createEndpointQueues(
    {
      process: (endpoint, key, signal) => {
        calls.push(`${clock.monotonic() - startedAt} ${endpoint}/${key}`);
        return behave(endpoint, key, signal);
      },
      concurrencyOf: () => concurrency,
      clock,
      logger,
      random: () => 0.999_999,
    },
    BREAKER,
  );
  return { clock, logger, calls, queues };
}

/** Items that end when they are told to. */
export function held() {
  const ends = new Map<string, (result: Processed) => void>();
  const behave: Behave = (endpoint, key) =>
    new Promise((resolve) => void ends.set(`${endpoint}/${key}`, resolve));
  const end = async (item: string, result: Processed = OK): Promise<void> => {
    const resolve = ends.get(item);
    if (resolve === undefined) throw new Error(`${item} is not under way`);
    ends.delete(item);
    resolve(result);
    await settle();
  };
  return { behave, end, underWay: () => [...ends.keys()] };
}
