import {
  webhookSpecSchema,
  type DeliveryStatus,
  type Webhook,
  type WebhookDelivery,
} from '../../../src/jobs/index.ts';
import type { Answered, Failed } from '../../../src/outbound/index.ts';

export const T0 = Date.parse('2030-01-01T00:00:00Z');

export function webhookOf(spec: object = {}, more: object = {}): Webhook {
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Webhook',
    metadata: { name: 'w', namespace: 'shop', uid: 'w-uid', generation: 1, ...more },
    spec: webhookSpecSchema.parse({ url: 'http://receiver/x', ...spec }),
  };
}

export function deliveryOf(status?: DeliveryStatus, more: object = {}): WebhookDelivery {
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'WebhookDelivery',
    metadata: {
      name: 'jd-1',
      namespace: 'shop',
      uid: 'd-uid',
      creationTimestamp: '2030-01-01T00:00:00Z',
      ...more,
    },
    spec: {
      webhook: { name: 'w', uid: 'w-uid' },
      event: {
        type: 'failed',
        time: '2030-01-01T00:00:00.000Z',
        job: { name: 'train', uid: 'job-uid' },
        reason: 'BackoffLimitExceeded',
        succeeded: 0,
        failed: 3,
        labels: { b: '2', a: '1' },
      },
    },
    ...(status && { status }),
  };
}

export const answered = (status: number, more: Partial<Answered> = {}): Answered => ({
  kind: 'answered',
  status,
  headers: {},
  body: '',
  truncated: false,
  durationMs: 5,
  ...more,
});
export const failed = (reason: Failed['reason']): Failed => ({
  kind: 'failed',
  reason,
  message: 'why',
  durationMs: 5,
});
