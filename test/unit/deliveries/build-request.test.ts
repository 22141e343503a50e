import { describe, expect, it } from '@jest/globals';
import { buildRequest } from '../../../src/deliveries/build-request.ts';
import { parseWebhookSecret, verifyWebhook, type SigningKey } from '../../../src/outbound/index.ts';
import { deliveryOf, T0, webhookOf } from './delivery-fixtures.ts';

function keyOf(secret: string): SigningKey {
  const parsed = parseWebhookSecret(secret);
  if (parsed.kind !== 'key') throw new Error(parsed.problem);
  return parsed.key;
}
const KEY = keyOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');

describe('buildRequest', () => {
  it('a structured CloudEvent with all that CloudEvents demands', () => {
    const { headers, body } = buildRequest(deliveryOf(), webhookOf(), [], T0, {
      eventSource: 'https://c1.example',
    });
    expect(headers).toEqual({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': 'jd-1',
      'webhook-timestamp': String(T0 / 1_000),
    });
    expect(JSON.parse(body)).toEqual({
      specversion: '1.0',
      id: 'jd-1',
      source: 'https://c1.example/apis/batch/v1/namespaces/shop/jobs/train',
      type: 'dev.krake.hooks.job.failed',
      subject: 'shop/train',
      time: '2030-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      data: {
        namespace: 'shop',
        name: 'train',
        uid: 'job-uid',
        outcome: 'failed',
        reason: 'BackoffLimitExceeded',
        message: null,
        startTime: null,
        // Kubernetes gives a failed Job none.
        completionTime: '2030-01-01T00:00:00.000Z',
        succeeded: 0,
        failed: 3,
        labels: { a: '1', b: '2' },
      },
    });
  });

  it('the same bytes at each attempt, however the API server orders the members; only the timestamp is the attempt’s', () => {
    const delivery = deliveryOf();
    const { event } = delivery.spec;
    const reordered = {
      ...delivery,
      spec: {
        ...delivery.spec,
        event: {
          ...Object.fromEntries(Object.entries(event).reverse()),
          labels: { a: '1', b: '2' },
        } as unknown as typeof event,
      },
    };
    const first = buildRequest(delivery, webhookOf(), [KEY], T0, { eventSource: '' });
    const second = buildRequest(reordered, webhookOf(), [KEY], T0 + 60_000, { eventSource: '' });
    expect(second.body).toBe(first.body);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp']);
  });

  it('signs with every key', () => {
    const other = keyOf(`whsec_${Buffer.alloc(24, 7).toString('base64')}`);
    const { headers, body } = buildRequest(deliveryOf(), webhookOf(), [KEY, other], T0, { eventSource: '' });
    for (const key of [KEY, other]) {
      expect(verifyWebhook({ headers, body, keys: [key], nowSeconds: T0 / 1_000 })).toEqual({ valid: true });
    }
  });

  it.each([
    ['{"a": 1}', undefined, 'application/json'],
    ['[]', undefined, 'application/json'],
    ['hello', undefined, 'text/plain'],
    ['', undefined, 'text/plain'],
    ['a,b', 'text/csv', 'text/csv'],
  ])('verbatim %j is sent as it stands', (requestBody, contentType, expected) => {
    const webhook = webhookOf({ format: 'verbatim', requestBody, ...(contentType && { contentType }) });
    const { headers, body } = buildRequest(deliveryOf(), webhook, [], T0, { eventSource: '' });
    expect(body).toBe(requestBody);
    expect(headers['content-type']).toBe(expected);
  });
});
