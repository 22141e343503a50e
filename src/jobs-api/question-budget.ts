/** How many questions about callers the API server is asked; the connections are those that deliveries are stored over. */
export interface QuestionBudget {
  /** What came of one more question for a source; throws {@link QuestionRefused} instead when there have been too many. */
  ask<T>(source: string, question: () => Promise<T>): Promise<T>;
  /** What a source has sent was refused. */
  refused(source: string): void;
}

/** Nobody was asked. */
export class QuestionRefused extends Error {
  override readonly name = 'QuestionRefused';
  /** The source's own: what it sent was refused too often. */
  readonly isOfSource: boolean;
  /** Whole, at least 1. */
  readonly retryAfterSeconds: number;

  constructor(isOfSource: boolean, waitMs: number) {
    super('too many questions about callers');
    this.isOfSource = isOfSource;
    this.retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1_000));
  }
}

/** A tenth of what the part may ask in all; 400 pods that start together and call at once are no attack. */
const ALL = { perSecond: 200, burst: 400 };
/** Nobody who works has so many wrong tokens. */
const REFUSALS = { perSecond: 1, burst: 20 };
const MAX_SOURCES = 10_000;
/** Failures in a row after which nobody is asked for a while. */
const BREAKER = { failures: 5, openMs: 2_000 };

interface Bucket {
  tokens: number;
  at: number;
}

export function createQuestionBudget(monotonic: () => number): QuestionBudget {
  const all: Bucket = { tokens: ALL.burst, at: monotonic() };
  // By source; the one that was refused longest ago is forgotten first.
  const refusals = new Map<string, Bucket>();
  let failures = 0;
  let openUntil = 0;

  function fill(bucket: Bucket, { perSecond, burst }: typeof ALL): Bucket {
    const now = monotonic();
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond);
    bucket.at = now;
    return bucket;
  }

  function check(source: string): void {
    const own = refusals.get(source);
    if (own !== undefined && fill(own, REFUSALS).tokens < 1)
      throw new QuestionRefused(true, ((1 - own.tokens) * 1_000) / REFUSALS.perSecond);
    if (failures >= BREAKER.failures && monotonic() < openUntil)
      throw new QuestionRefused(false, openUntil - monotonic());
    if (fill(all, ALL).tokens < 1) throw new QuestionRefused(false, 1_000);
    all.tokens -= 1;
  }

  return {
    async ask(source, question) {
      check(source);
      try {
        const answer = await question();
        failures = 0;
        return answer;
      } catch (error) {
        failures += 1;
        openUntil = monotonic() + BREAKER.openMs;
        throw error;
      }
    },
    refused(source) {
      const bucket = fill(refusals.get(source) ?? { tokens: REFUSALS.burst, at: monotonic() }, REFUSALS);
      bucket.tokens = Math.max(0, bucket.tokens - 1);
      refusals.delete(source);
      refusals.set(source, bucket);
      const [oldest] = refusals.keys();
      if (refusals.size > MAX_SOURCES && oldest !== undefined) refusals.delete(oldest);
    },
  };
}
