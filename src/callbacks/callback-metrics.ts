import type { Hook } from '../contract/index.ts';
import type { AnswerReason } from './answers.ts';

/** Declared here, counted in observability. All labels are bounded; none names an application. */
export interface CallbackMetrics {
  /** Each answer, when it is sent. `seconds` from the request's header on. */
  answered(hook: Hook | 'none', status: number, reason: AnswerReason, seconds: number): void;
  /** Each time the API server was asked to store a signal. */
  stored(outcome: 'stored' | 'already-stored' | 'refused' | 'void' | 'unavailable', seconds: number): void;
  /** Each token that the API server was to be asked about, or was kept from being. */
  reviewed(
    outcome: 'authenticated' | 'refused' | 'failed' | 'limited' | 'breaker-open',
    seconds: number,
  ): void;
}
