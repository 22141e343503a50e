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
  /** What `take` would answer; nothing is taken. */
  wait(key: string, cost?: number): number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const MAX_KEYS = 10_000;

export function createTokenBuckets(options: TokenBucketsOptions, monotonic: () => number): TokenBuckets {
  const { ratePerSecond, burst, maxKeys = MAX_KEYS } = options;
  const buckets = new Map<string, Bucket>();

  function bucketOf(key: string): Bucket {
    const nowMs = monotonic();
    const bucket = buckets.get(key) ?? { tokens: burst, filledAtMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.filledAtMs) / 1000) * ratePerSecond);
    bucket.filledAtMs = nowMs;

    // Put in anew, so that the map's first key is the one used longest ago.
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > maxKeys) for (const oldest of buckets.keys()) if (buckets.delete(oldest)) break;
    return bucket;
  }

  function waitFor({ tokens }: Bucket, cost: number): number {
    return tokens >= cost ? 0 : Math.max(1, Math.ceil((cost - tokens) / ratePerSecond));
  }

  return {
    take(key, cost = 1) {
      const bucket = bucketOf(key);
      const wait = waitFor(bucket, cost);
      if (wait === 0) bucket.tokens -= cost;
      return wait;
    },
    wait: (key, cost = 1) => waitFor(bucketOf(key), cost),
  };
}

/** One of each, or of none of them: who is kept back by one budget does not use up the others. 0, or how long to wait, as `take`. */
export function takeOfEach(budgets: readonly (readonly [TokenBuckets, string])[]): number {
  const wait = Math.max(...budgets.map(([buckets, key]) => buckets.wait(key)));
  if (wait === 0) for (const [buckets, key] of budgets) buckets.take(key);
  return wait;
}
