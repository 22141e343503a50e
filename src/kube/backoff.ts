export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * The delay before try number `attempt` + 1: doubles from `baseMs` to `maxMs`, and of that the upper half at random, so that those who
 * failed together do not come back together.
 *
 * @param attempt failures so far, from 1
 * @param random in [0, 1)
 */
export function backoffDelay({ baseMs, maxMs }: Backoff, attempt: number, random: number): number {
  // 2^40 of any base is beyond any maximum, and no overflow.
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(40, Math.max(0, attempt - 1)));
  return full / 2 + (full / 2) * random;
}
