export interface TokenBucketsOptions {
  readonly ratePerSecond: number;
  readonly burst: number;
  /** Beyond this many keys the one used longest ago is forgotten, which at worst gives it a full bucket again. */
  readonly maxKeys?: number;
}

/** A rate limit by key, in bounded memory. */
export interface TokenBuckets {
  /** 0: granted; otherwise nothing is taken, and so many seconds (whole, 1 at least) pass until it would be. */
  take(key: string, cost?: number): number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const MAX_KEYS = 10_000;

export function createTokenBuckets(options: TokenBucketsOptions, monotonic: () => number): TokenBuckets {
  const { ratePerSecond, burst, maxKeys = MAX_KEYS } = options;
  const buckets = new Map<string, Bucket>();

  return {
    take(key, cost = 1) {
      const nowMs = monotonic();
      const bucket = buckets.get(key) ?? { tokens: burst, filledAtMs: nowMs };
      bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.filledAtMs) / 1000) * ratePerSecond);
      bucket.filledAtMs = nowMs;

      // Put in anew, so that the map's first key is the one used longest ago.
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > maxKeys) for (const oldest of buckets.keys()) if (buckets.delete(oldest)) break;

      if (bucket.tokens >= cost) {
        bucket.tokens -= cost;
        return 0;
      }
      return Math.max(1, Math.ceil((cost - bucket.tokens) / ratePerSecond));
    },
  };
}
