import type { Webhook } from '../jobs/index.ts';
import type { Logger } from '../observability/index.ts';
import type { AttemptResult } from './after-attempt.ts';
import type { DelivererEvents } from './deliverer-events.ts';
import type { DelivererMetrics } from './deliverer-metrics.ts';
import { isPending, type DeliveryRecord } from './delivery-record.ts';
import type { EndpointStatus } from './endpoint-status.ts';

export interface ReporterDeps {
  readonly endpoints: EndpointStatus;
  readonly events: DelivererEvents;
  readonly metrics: DelivererMetrics;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Tells whoever wants to know what became of deliveries: log, metrics, Events, the Webhook's own status. */
export interface Reporter {
  /** The record has its new status. */
  attempted(record: DeliveryRecord, webhook: Webhook, outcome: AttemptResult, tookMs: number): void;
  endedUnsent(record: DeliveryRecord, how: { readonly reason: string }, webhook: Webhook | undefined): void;
}

export function createReporter({ endpoints, events, metrics, logger, now }: ReporterDeps): Reporter {
  function ended({ delivery, status }: DeliveryRecord, webhook: Webhook | undefined): void {
    const { phase = 'Pending', reason = 'none' } = status;
    const { type, time } = delivery.spec.event;
    metrics.ended(phase, reason, type, (now() - Date.parse(time)) / 1_000);
    events.ended(delivery, status, webhook);
  }

  return {
    attempted(record, webhook, outcome, tookMs) {
      const { delivery, status } = record;
      const { namespace, name } = delivery.metadata;
      const last = status.log?.at(-1);
      metrics.attempted(outcome, tookMs / 1_000);
      const fields = {
        namespace,
        delivery: name,
        webhook: webhook.metadata.name,
        attempt: status.attempts,
        status: last?.status,
      };
      if (status.phase === 'Delivered') {
        endpoints.succeeded(webhook, now());
        logger.debug('delivered', fields);
      } else {
        const why = last?.error ?? (last?.status === undefined ? 'no answer' : `HTTP ${last.status}`);
        if (outcome.kind === 'called' && outcome.verdict === 'disable') endpoints.gone(webhook, now());
        else endpoints.failed(webhook, why, now());
        const { phase = 'Pending', nextAttemptAt } = status;
        logger.info('an attempt failed', { ...fields, error: last?.error, phase, next: nextAttemptAt });
      }
      if (!isPending(record)) ended(record, webhook);
    },
    endedUnsent(record, how, webhook) {
      const { namespace, name } = record.delivery.metadata;
      logger.info('a delivery ends without being sent', { namespace, delivery: name, ...how });
      ended(record, webhook);
    },
  };
}
