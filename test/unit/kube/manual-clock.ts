import type { Clock } from '../../../src/kube/index.ts';

export interface ManualClock extends Clock {
  /** Moves time on, timer by timer, and lets promises settle in between. */
  advance(ms: number): Promise<void>;
  readonly pendingTimers: () => number;
}

/** A clock that stands still until it is moved. */
export function createManualClock(): ManualClock {
  let time = 1_000_000;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => time,
    monotonic: () => time,
    after: (delayMs, callback) => {
      const timer = { at: time + Math.max(0, delayMs), callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    pendingTimers: () => timers.length,
    advance: async (ms) => {
      const end = time + ms;
      await settle();
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers = timers.filter((each) => each !== next);
        time = Math.max(time, next.at);
        next.callback();
        await settle();
      }
      time = end;
    },
  };
}

/** Lets all promises that can settle do so: immediates come after every microtask. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
