import { describe, expect, it } from '@jest/globals';
import { ANNOTATION_REDELIVER, redeliveryAsked, type DeliveryStatus } from '../../../src/jobs/index.ts';
import { projectDelivery } from '../../../src/jobs/known-delivery.ts';
import { deliveryOf } from '../deliveries/delivery-fixtures.ts';

const DONE: DeliveryStatus = { phase: 'Delivered', attempts: 1 };
const asked = (value: string, status: DeliveryStatus = DONE) =>
  deliveryOf(status, { annotations: { [ANNOTATION_REDELIVER]: value } });

describe('redeliveryAsked', () => {
  it.each(['2030-01-01T00:00:00.000Z', 'x'.repeat(64), 'x'.repeat(65), 'ü'.repeat(5_000)])(
    'is seen once, however long it is: %#',
    (value) => {
      const request = redeliveryAsked(asked(value));
      expect(request?.length).toBeLessThanOrEqual(64);
      expect(projectDelivery(asked(value))?.phase).toBe('Pending');
      // As the deliverer writes it.
      const seen = asked(value, { ...DONE, redelivered: request });
      expect(redeliveryAsked(seen)).toBeUndefined();
      expect(projectDelivery(seen)?.phase).toBe('Delivered');
    },
  );

  it('tells long ones apart', () => {
    const first = redeliveryAsked(asked('x'.repeat(100)));
    expect(redeliveryAsked(asked(`${'x'.repeat(100)}y`, { ...DONE, redelivered: first }))).toBeDefined();
  });

  it('nothing is asked without the annotation', () => {
    expect(redeliveryAsked(deliveryOf({ ...DONE, redelivered: 'before' }))).toBeUndefined();
  });
});
