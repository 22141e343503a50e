import type { Decision, Reason } from './decision.ts';

/** What admission wants to have counted. Labels are bounded: kinds that we know or `other`, outcomes, reasons, HTTP codes. */
export interface AdmissionMetrics {
  /** A review was answered. `seconds`: from the whole request read to the answer written. */
  reviewed(kind: string, outcome: ReviewOutcome, reason: ReviewReason, seconds: number): void;
  /** A request was no usable review. */
  rejected(status: number): void;
  /** Beside `reviewed`: the review ended in an error of ours. */
  failed(): void;
}

export type ReviewOutcome = Decision['outcome'] | 'errored';
export type ReviewReason = Reason | 'malformed-object' | 'internal-error';
