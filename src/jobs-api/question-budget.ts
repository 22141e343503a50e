import { createTokenBuckets } from '../http/index.ts';
import { createFailureBreaker } from '../kube/index.ts';

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

  constructor(isOfSource: boolean, retryAfterSeconds: number) {
    super('too many questions about callers');
    this.isOfSource = isOfSource;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A tenth of what the part may ask in all; 400 pods that start together and call at once are no attack. */
const ALL = { ratePerSecond: 200, burst: 400 };
/** Nobody who works has so many wrong tokens. */
const REFUSALS = { ratePerSecond: 1, burst: 20 };
/** Nobody is asked for this long after some failures in a row. */
const OPEN_MS = 2_000;

export function createQuestionBudget(monotonic: () => number): QuestionBudget {
  const all = createTokenBuckets(ALL, monotonic);
  const refusals = createTokenBuckets(REFUSALS, monotonic);
  const breaker = createFailureBreaker(monotonic, OPEN_MS);

  function check(source: string): void {
    const waitOfSource = refusals.wait(source);
    if (waitOfSource > 0) throw new QuestionRefused(true, waitOfSource);
    const wait = all.take('all') || breaker.admit();
    if (wait > 0) throw new QuestionRefused(false, wait);
  }

  return {
    async ask(source, question) {
      check(source);
      try {
        const answer = await question();
        breaker.succeeded();
        return answer;
      } catch (error) {
        breaker.failed();
        throw error;
      }
    },
    refused: (source) => void refusals.take(source),
  };
}
