import { API_VERSION, type DeliveryStatus, type Webhook, type WebhookDelivery } from '../jobs/index.ts';
import type { EventRecorder } from '../kube/index.ts';

/** What people should see with `kubectl describe`. */
export interface DelivererEvents {
  /** The delivery has come to its end. */
  ended(delivery: WebhookDelivery, status: DeliveryStatus, webhook: Webhook | undefined): void;
  disabled(webhook: Webhook, why: string): void;
}

export function createDelivererEvents(events: EventRecorder): DelivererEvents {
  const onWebhook = ({ metadata: { namespace, name, uid } }: Webhook) => ({
    apiVersion: API_VERSION,
    kind: 'Webhook',
    namespace,
    name,
    uid,
  });
  return {
    ended({ metadata, spec }, status, webhook) {
      const { namespace, name } = metadata;
      const { job, type } = spec.event;
      const onJob = { apiVersion: 'batch/v1', kind: 'Job', namespace, name: job.name, uid: job.uid };
      const attempts = status.attempts ?? 0;
      if (status.phase === 'Delivered') {
        // One that went well at once is told by the delivery itself; an Event each would double the writes.
        if (attempts < 2) return;
        const note = `The webhook ${spec.webhook.name} took the event ${type} at attempt ${attempts}.`;
        events.record({
          regarding: onJob,
          type: 'Normal',
          reason: 'WebhookDelivered',
          action: 'Deliver',
          note,
        });
        return;
      }
      if (status.phase !== 'DeadLetter') return;
      const last = status.log?.at(-1);
      const why = last?.error ?? (last?.status === undefined ? '' : `HTTP ${last.status}`);
      const note = `The event ${type} was not delivered to the webhook ${spec.webhook.name} after ${attempts} attempts (${status.reason ?? ''}${why === '' ? '' : `; last: ${why}`}). Send it again: krake-hooks deliveries redeliver ${name} -n ${namespace}`;
      events.record({
        regarding: onJob,
        type: 'Warning',
        reason: 'WebhookDeadLetter',
        action: 'Deliver',
        note,
      });
      if (webhook === undefined) return;
      const regarding = onWebhook(webhook);
      events.record({ regarding, type: 'Warning', reason: 'DeadLetter', action: 'Deliver', note });
    },
    disabled(webhook, why) {
      const note = `Nothing more is sent: ${why}. Change its spec, or "krake-hooks webhooks enable ${webhook.metadata.name}", to go on; then redeliver what became a dead letter.`;
      events.record({
        regarding: onWebhook(webhook),
        type: 'Warning',
        reason: 'EndpointDisabled',
        action: 'Disable',
        note,
      });
    },
  };
}
