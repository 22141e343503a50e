import { isWorkloadKind } from '../contract/index.ts';
import type { Logger } from '../observability/index.ts';
import {
  createReviewHandler,
  describeRequest,
  type AdmissionRequest,
  type ReviewCallers,
  type ReviewHandler,
} from '../review/index.ts';
import type { AdmissionMetrics, ReviewOutcome, ReviewReason } from './admission-metrics.ts';
import { respondTo } from './review-response.ts';
import { review } from './review.ts';
import type { AdmissionSettings } from './settings.ts';

export interface AdmissionHandlerDeps {
  readonly logger: Logger;
  readonly metrics: AdmissionMetrics;
  /** A clock that only goes forward, in milliseconds. */
  readonly now?: () => number;
}

export interface AdmissionHandlerOptions {
  readonly settings: AdmissionSettings;
  /** For the whole request to arrive; the review itself takes well under a millisecond. */
  readonly deadlineMs: number;
  readonly callers?: ReviewCallers;
}

/** The path that the webhook configuration names. */
export const ADMISSION_PATH = '/mutate';

/** The admission listener's request handler; see createReviewHandler for what it answers. */
export function createAdmissionHandler(
  { logger, metrics, now = () => performance.now() }: AdmissionHandlerDeps,
  { settings, deadlineMs, callers = {} }: AdmissionHandlerOptions,
): ReviewHandler {
  const count = (
    request: AdmissionRequest,
    outcome: ReviewOutcome,
    reason: ReviewReason,
    startedMs: number,
  ): void => {
    const kind = isWorkloadKind(request.kind.kind) ? request.kind.kind : 'other';
    metrics.reviewed(kind, outcome, reason, (now() - startedMs) / 1_000);
  };

  return createReviewHandler(
    {
      logger,
      now,
      metrics: {
        rejected: (status) => metrics.rejected(status),
        errored(request, reason, startedMs) {
          if (reason === 'internal-error') metrics.failed();
          count(request, 'errored', reason, startedMs);
        },
      },
      answer(request, startedMs) {
        const decision = review(request, settings);
        const body = respondTo(request.uid, decision);
        count(request, decision.outcome, decision.reason, startedMs);
        const { outcome, reason, application, warnings } = decision;
        const level = outcome === 'unchanged' ? 'debug' : 'info';
        logger[level]('admission decided', {
          ...describeRequest(request),
          outcome,
          reason,
          application,
          warnings: warnings.length,
        });
        return body;
      },
    },
    { subject: 'admission', path: ADMISSION_PATH, callers, deadlineMs },
  );
}
