import type { DeliveryPhase, JobEvent } from '../jobs/index.ts';
import type { AttemptResult } from './after-attempt.ts';

/** Declared here, counted in observability. Labels are bounded. */
export interface DelivererMetrics {
  attempted(outcome: AttemptResult, seconds: number): void;
  /** @param seconds since the event */
  ended(phase: DeliveryPhase, reason: string, event: JobEvent['type'], seconds: number): void;
}

/** One word for an attempt's outcome. */
export function outcomeLabel(outcome: AttemptResult): string {
  if (outcome.kind === 'unsigned') return 'unsigned';
  const { result } = outcome;
  return result.kind === 'failed' ? result.reason : `${Math.floor(result.status / 100)}xx`;
}
