import type { Hook } from '../contract/index.ts';
import type { AnswerReason } from './answers.ts';
import type { Evidence } from './prove-sender.ts';

/** One answer, as it is told of. */
export interface AuditedAnswer {
  readonly status: number;
  readonly reason: AnswerReason;
  readonly hook: Hook;
  readonly namespace: string;
  readonly name: string;
  /** Of the Application. */
  readonly uid: string;
  readonly evidence: Evidence;
}
