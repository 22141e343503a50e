export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open at first; twice as long each time its probe fails. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** Spares an endpoint that does not answer: open, nothing is sent; then one probe decides. Times are a caller's, so it has no clock. */
export interface Breaker {
  /** 0: a call may begin (and has begun, for the breaker). Else come back after so many milliseconds. */
  enter(now: number): number;
  /** The call that entered has ended; `answered`: the endpoint is alive. */
  leave(answered: boolean, now: number): void;
  isOpen(now: number): boolean;
}

/** Whoever meets a probe under way looks again after this. */
const PROBE_POLL_MS = 500;

export function createBreaker({ failures, openMs, maxOpenMs }: BreakerOptions): Breaker {
  let inRow = 0;
  let openUntil = 0;
  let lastOpenMs = 0;
  let probing = false;

  return {
    enter(now) {
      if (openUntil === 0) return 0;
      if (now < openUntil) return openUntil - now;
      if (probing) return PROBE_POLL_MS;
      probing = true;
      return 0;
    },
    leave(answered, now) {
      const wasProbe = probing;
      probing = false;
      if (answered) {
        inRow = 0;
        openUntil = 0;
        lastOpenMs = 0;
        return;
      }
      inRow += 1;
      // Those that were under way when it opened don't prolong it.
      if (inRow < failures || (openUntil !== 0 && !wasProbe)) return;
      lastOpenMs = Math.min(maxOpenMs, lastOpenMs === 0 ? openMs : lastOpenMs * 2);
      openUntil = now + lastOpenMs;
    },
    isOpen: (now) => now < openUntil,
  };
}
