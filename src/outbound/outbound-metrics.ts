import type { CallResult, FailureReason, OutboundPurpose } from './outbound-caller.ts';

/** What became of a call: the class of its status, or why there is none. */
export type CallOutcome = '2xx' | '3xx' | '4xx' | '5xx' | FailureReason;

export interface OutboundMetrics {
  /** @param seconds from the call's turn to its end */
  called(purpose: OutboundPurpose, outcome: CallOutcome, seconds: number): void;
  /** Calls under way, and calls that wait for their turn. */
  load(active: number, waiting: number): void;
}

export function outcomeOf(result: CallResult): CallOutcome {
  if (result.kind === 'failed') return result.reason;
  if (result.status < 300) return '2xx';
  if (result.status < 400) return '3xx';
  return result.status < 500 ? '4xx' : '5xx';
}
