/** Answers of somebody slower, remembered for a moment; who asks meanwhile shares the question. Bounded; failures are not remembered. */
export interface RecentAnswers<T> {
  get(key: string, ask: () => Promise<T>): Promise<T>;
}

export function createRecentAnswers<T>(
  { keepMs, max }: { readonly keepMs: number; readonly max: number },
  monotonic: () => number,
): RecentAnswers<T> {
  const known = new Map<string, { readonly until: number; readonly value: Promise<T> }>();

  return {
    get(key, ask) {
      const found = known.get(key);
      if (found !== undefined && found.until > monotonic()) return found.value;
      // The oldest goes; a Map keeps the order of insertion.
      known.delete(key);
      const oldest = known.keys().next();
      if (known.size >= max && oldest.done !== true) known.delete(oldest.value);
      const value = ask();
      known.set(key, { until: monotonic() + keepMs, value });
      value.catch(() => known.delete(key));
      return value;
    },
  };
}
