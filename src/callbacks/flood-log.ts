/** How much of a flood the log tells. */
export interface FloodLog {
  /** How many there were of this kind from this source since it was last told, this one included; 0: it is not to be told now. */
  told(source: string, kind: string): number;
}

/** The first of a kind is told at once: one that matters does not go unseen because its source is flooding with others. */
const PAUSE_MS = 10_000;
const MAX_KEYS = 10_000;

/** Of each source each kind is told once in ten seconds. Kinds are a bounded set; beyond 10,000 of both together the one told longest ago is forgotten. */
export function createFloodLog(monotonic: () => number): FloodLog {
  const known = new Map<string, { readonly toldAtMs: number; count: number }>();
  return {
    told(source, kind) {
      const key = `${source} ${kind}`;
      const nowMs = monotonic();
      const before = known.get(key);
      if (before !== undefined && nowMs - before.toldAtMs < PAUSE_MS) {
        before.count += 1;
        return 0;
      }
      known.delete(key);
      known.set(key, { toldAtMs: nowMs, count: 0 });
      if (known.size > MAX_KEYS) for (const oldest of known.keys()) if (known.delete(oldest)) break;
      return (before?.count ?? 0) + 1;
    },
  };
}
