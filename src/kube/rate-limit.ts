/**
 * A token bucket: `reserve` takes the next free place and says in how many ms it comes. As many places as come in one second
 * may be taken at once after a pause; places are given in the order that they are asked for.
 */
export function createRateLimit(
  perSecond: number,
  monotonic: () => number,
): { reserve(): number; giveBack(): void } {
  const burst = Math.max(1, perSecond);
  let tokens = burst;
  let countedAt = monotonic();
  return {
    reserve: () => {
      const now = monotonic();
      tokens = Math.min(burst, tokens + ((now - countedAt) / 1_000) * perSecond) - 1;
      countedAt = now;
      return tokens >= 0 ? 0 : (-tokens / perSecond) * 1_000;
    },
    giveBack: () => {
      tokens += 1;
    },
  };
}
