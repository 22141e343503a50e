/** Time as this area uses it; tests bring one that they move by hand. */
export interface Clock {
  /** Milliseconds since 1970, for times that others read. */
  now(): number;
  /** Milliseconds of a clock that is never set, for measuring. */
  monotonic(): number;
  /** Calls back once, so many milliseconds from now; the function returned cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Node fires a timer beyond this (24.8 days) at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** A delay beyond 24.8 days comes after 24.8 days: whoever waits that long looks at the clock again. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after the delay, or as soon as the signal is aborted: whoever goes on looks at the signal. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
