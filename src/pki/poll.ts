import type { Clock } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';

export interface PollDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PollOptions {
  /** What is looked at, for the log. */
  readonly subject: string;
  /** Time between the end of a run and the next one; asked anew after each run. */
  readonly intervalMs: () => number;
  readonly run: () => Promise<void>;
}

export interface Poll {
  /** Begins; ends when the signal is aborted. */
  start(signal: AbortSignal): void;
  /** Resolves when a run has succeeded; rejects when the poll ends before. */
  succeeded(): Promise<void>;
  /** Runs again at once, or once more after the run under way. */
  wake(): void;
  /** Resolves when the run under way has ended. */
  stop(): Promise<void>;
}

/** A failed run is repeated this soon at first, then twice as late each time up to the interval. */
const FIRST_RETRY_MS = 250;

/**
 * Runs something again and again: whatever it keeps in order is looked at by the wall clock each time, so that a machine that was
 * suspended is up to date within one interval of waking. A failure is logged when it is new; it ends nothing.
 */
export function createPoll({ clock, logger }: PollDeps, options: PollOptions): Poll {
  const firstSuccess = Promise.withResolvers<undefined>();
  firstSuccess.promise.catch(() => undefined); // nobody has to ask for it
  let loop: Promise<void> | undefined;
  let ended = false;
  let isWoken = false;
  let endPause: () => void = () => undefined;
  let lastError: string | undefined;
  let failures = 0;

  async function runOnce(): Promise<void> {
    try {
      await options.run();
      if (failures > 0) logger.info('works again', { subject: options.subject });
      lastError = undefined;
      failures = 0;
      firstSuccess.resolve(undefined);
    } catch (error) {
      if (ended) return;
      failures++;
      const text = error instanceof Error ? error.message : String(error);
      if (text !== lastError) {
        logger.error('failed, will be tried again', { subject: options.subject, error: text });
      }
      lastError = text;
    }
  }

  async function pauseUntilNext(): Promise<void> {
    const retryMs = FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16);
    const delayMs = failures === 0 ? options.intervalMs() : Math.min(retryMs, options.intervalMs());
    const pause = Promise.withResolvers<undefined>();
    endPause = () => pause.resolve(undefined);
    if (isWoken) endPause();
    const cancel = clock.after(delayMs, endPause);
    await pause.promise;
    cancel();
  }

  async function runLoop(): Promise<void> {
    while (!isEnded()) {
      isWoken = false;
      await runOnce();
      if (!isEnded()) await pauseUntilNext();
    }
  }

  function isEnded(): boolean {
    return ended;
  }

  function wake(): void {
    isWoken = true;
    endPause();
  }

  function end(): void {
    ended = true;
    firstSuccess.reject(new Error(`stopped before this had succeeded: ${options.subject}`));
    wake();
  }

  return {
    start(signal) {
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
      loop ??= runLoop();
    },
    succeeded: () => firstSuccess.promise,
    wake,
    async stop() {
      end();
      await loop;
    },
  };
}
