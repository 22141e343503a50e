import type { Clock } from '../../../src/kube/index.ts';
import type { LogFields, Logger } from '../../../src/observability/index.ts';

export interface ManualClock extends Clock {
  /** Moves the time and runs the timers that are due, each with its followers, until all is quiet. */
  advance(ms: number): Promise<void>;
  pendingTimers(): number;
}

export function createManualClock(start = Date.UTC(2030, 0, 1)): ManualClock {
  let now = start;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    monotonic: () => now - start,
    pendingTimers: () => timers.size,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const [due] = [...timers].filter((timer) => timer.at <= end).sort((one, two) => one.at - two.at);
        if (due === undefined) break;
        timers.delete(due);
        now = Math.max(now, due.at);
        due.callback();
      }
      now = end;
    },
  };
}

/** Lets a poll of real files come due and waits for its end: it sets a timer only between two runs. */
export async function advanceToEndOfPoll(clock: ManualClock, ms: number): Promise<void> {
  const isBetweenRuns = async (): Promise<void> => {
    while (clock.pendingTimers() === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  await isBetweenRuns();
  await clock.advance(ms);
  await isBetweenRuns();
}

/** Lets everything that is waiting for promises go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

export function createMemoryLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields });
  };
  const logger = {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (): Logger => logger,
  };
  return logger;
}
