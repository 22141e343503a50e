import { createTokenBuckets } from '../http/index.ts';

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

  constructor(isOfSource: boolean, waitSeconds: number) {
    super('too many questions about callers');
    this.isOfSource = isOfSource;
    this.retryAfterSeconds = Math.max(1, Math.ceil(waitSeconds));
  }
}

/** A tenth of what the part may ask in all; 400 pods that start together and call at once are no attack. */
const ALL = { ratePerSecond: 200, burst: 400 };
/** Nobody who works has so many wrong tokens. */
const REFUSALS = { ratePerSecond: 1, burst: 20 };
/** Failures in a row after which nobody is asked for a while. */
const BREAKER = { failures: 5, openMs: 2_000 };

export function createQuestionBudget(monotonic: () => number): QuestionBudget {
  const all = createTokenBuckets(ALL, monotonic);
  const refusals = createTokenBuckets(REFUSALS, monotonic);
  let failures = 0;
  let openUntil = 0;

  function check(source: string): void {
    const waitOfSource = refusals.wait(source);
    if (waitOfSource > 0) throw new QuestionRefused(true, waitOfSource);
    if (failures >= BREAKER.failures && monotonic() < openUntil)
      throw new QuestionRefused(false, (openUntil - monotonic()) / 1_000);
    const wait = all.take('all');
    if (wait > 0) throw new QuestionRefused(false, wait);
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
    refused: (source) => void refusals.take(source),
  };
}
