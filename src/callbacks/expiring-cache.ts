/** Keeps values for a time, in bounded memory: beyond `maxKeys` the one put in first is forgotten. */
export interface ExpiringCache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, ttlMs: number): void;
}

export function createExpiringCache<V>(maxKeys: number, monotonic: () => number): ExpiringCache<V> {
  const entries = new Map<string, { readonly value: V; readonly until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (monotonic() < entry.until) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, ttlMs) {
      if (ttlMs <= 0) return;
      entries.delete(key);
      entries.set(key, { value, until: monotonic() + ttlMs });
      if (entries.size > maxKeys) for (const oldest of entries.keys()) if (entries.delete(oldest)) break;
    },
  };
}
