import { createHash } from 'node:crypto';
import { ANNOTATION_REDELIVER } from './annotations.ts';
import type { WebhookDelivery } from './webhook-delivery.ts';

/** What `status.redelivered` has room for. */
const MAX_REQUEST = 64;

/**
 * The request for a redelivery that nobody has seen yet, as `status.redelivered` will name it: the annotation's value, or the SHA-256 of one that is too long for
 * it. Undefined: there is none. Everybody who wants to know asks here, so that all agree on whether a delivery is Pending. Pure.
 */
export function redeliveryAsked({
  metadata,
  status,
}: Pick<WebhookDelivery, 'metadata' | 'status'>): string | undefined {
  const value = metadata.annotations?.[ANNOTATION_REDELIVER];
  if (value === undefined) return undefined;
  const request = value.length <= MAX_REQUEST ? value : createHash('sha256').update(value).digest('hex');
  return request === status?.redelivered ? undefined : request;
}
