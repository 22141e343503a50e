export interface RefusalLog {
  /** Somebody was refused for this reason. */
  tell(reason: string): void;
}

const PAUSE_MS = 10_000;

/**
 * Who is refused tries again at once, and anybody can be refused: each reason is told when it is new, then once in ten seconds, with how often
 * it was since. Reasons are a bounded set.
 */
export function createRefusalLog(
  write: (reason: string, count: number) => void,
  now: () => number = () => performance.now(),
): RefusalLog {
  const told = new Map<string, { readonly at: number; count: number }>();
  return {
    tell(reason) {
      const last = told.get(reason);
      if (last !== undefined && now() - last.at < PAUSE_MS) {
        last.count++;
        return;
      }
      told.set(reason, { at: now(), count: 0 });
      write(reason, (last?.count ?? 0) + 1);
    },
  };
}
