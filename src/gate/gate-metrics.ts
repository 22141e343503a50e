import type { PassReason } from './decide-gate.ts';
import type { HoldReason } from './hold-pods.ts';

/** Why a review came out as it did: the same code in the log, the metric and the audit annotation. */
export type GateReason = PassReason | HoldReason | 'unavailable' | 'malformed-object' | 'internal-error';
export type GateOutcome = 'passed' | 'held' | 'undecided' | 'errored';
export type GateRequestKind = 'deletion' | 'eviction' | 'other';

/** What the gate wants to have counted. Labels are bounded. */
export interface GateMetrics {
  /** A review was answered. `seconds`: from the whole request read to the answer written. */
  reviewed(kind: GateRequestKind, outcome: GateOutcome, reason: GateReason, seconds: number): void;
  /** A request was no usable review. */
  rejected(status: number): void;
  /** Beside `reviewed`: the review ended in an error of ours. */
  failed(): void;
  /** The API server was asked to store pods that are to go. */
  stored(outcome: 'stored' | 'conflict' | 'failed', seconds: number): void;
}
