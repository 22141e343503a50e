/** Numbers that look random and are the same for the same seed. */
export interface Draw {
  /** 0 to n - 1. */
  readonly below: (n: number) => number;
  readonly oneOf: <T>(from: readonly T[]) => T;
}

/** A linear congruential generator (Numerical Recipes' constants): good enough to choose among a dozen. */
export function createDraw(seed: number): Draw {
  let state = Math.trunc(seed) >>> 0;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return {
    below,
    oneOf(from) {
      const drawn = from[below(from.length)];
      if (drawn === undefined) throw new Error('there is nothing to draw from');
      return drawn;
    },
  };
}
