/** Stops asking the API server what can be left unanswered, while it does not answer. */
export interface FailureBreaker {
  /** 0: ask, and tell what came of it. Otherwise so many seconds (whole, 1 at least) are to pass first. */
  admit(): number;
  succeeded(): void;
  failed(): void;
}

/** So many failures one after the other open it. */
const THRESHOLD = 5;
const OPEN_MS = 5_000;

/** After a while open, one question at a time goes through until one is answered. */
export function createFailureBreaker(monotonic: () => number, openMs = OPEN_MS): FailureBreaker {
  let failures = 0;
  let openUntil = 0;
  return {
    admit() {
      if (failures < THRESHOLD) return 0;
      const waitMs = openUntil - monotonic();
      if (waitMs > 0) return Math.max(1, Math.ceil(waitMs / 1_000));
      openUntil = monotonic() + openMs;
      return 0;
    },
    succeeded() {
      failures = 0;
    },
    failed() {
      failures += 1;
      if (failures >= THRESHOLD) openUntil = monotonic() + openMs;
    },
  };
}
