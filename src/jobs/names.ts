import { createHash } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SEPARATOR = '\n';

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * A UUID (version 8, RFC 9562) made of what is given: the same parts, the same UUID. The parts come from outside and may be anything
 * but are told apart by their lengths.
 */
export function derivedUuid(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}${SEPARATOR}`).update(part);
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** What a delivery is of; `occasion` tells apart what may happen to one Job more than once (a suspension). */
export interface DeliveryIdentity {
  readonly jobUid: string;
  readonly event: string;
  readonly occasion?: string | undefined;
  readonly webhookUid: string;
}

/** Name of the WebhookDelivery, and the `webhook-id` of all its attempts (which must not contain "."). */
export function deliveryName({ jobUid, event, occasion = '', webhookUid }: DeliveryIdentity): string {
  const hash = createHash('sha256').update([jobUid, event, occasion, webhookUid].join(SEPARATOR));
  return `jd-${hash.digest('hex').slice(0, 40)}`;
}
