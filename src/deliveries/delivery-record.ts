import type { DeliveryStatus, WebhookDelivery } from '../jobs/index.ts';

/** A delivery on its way, as this process knows it. */
export interface DeliveryRecord {
  delivery: WebhookDelivery;
  /** The newest status, which the API server may not have yet. */
  status: DeliveryStatus;
  /** What the API server has, as far as this process knows, and in which version of the object. */
  written: DeliveryStatus;
  resourceVersion: string | undefined;
  /** Turns in a row that the API server has spoilt. */
  troubles: number;
}

export function recordOf(delivery: WebhookDelivery): DeliveryRecord {
  const status = delivery.status ?? {};
  const { resourceVersion } = delivery.metadata;
  return { delivery, status, written: status, resourceVersion, troubles: 0 };
}

/** NAMESPACE/NAME. */
export function keyOf({ metadata }: Pick<WebhookDelivery, 'metadata'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Whose queue it waits in: NAMESPACE/NAME of the Webhook. */
export function endpointOf({ metadata, spec }: WebhookDelivery): string {
  return `${metadata.namespace}/${spec.webhook.name}`;
}

export function isPending({ status }: Pick<DeliveryRecord, 'status'>): boolean {
  return status.phase === undefined || status.phase === 'Pending';
}

export function isWritten({ status, written }: DeliveryRecord): boolean {
  return status === written;
}
