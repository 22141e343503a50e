import type { JobEvent, Webhook, WebhookDelivery } from '../jobs/index.ts';
import { signWebhook, type SigningKey } from '../outbound/index.ts';

export interface RequestOptions {
  /** In front of the `source` of CloudEvents, to tell clusters apart; empty or a URL without a slash at its end. */
  readonly eventSource: string;
}

export interface DeliveryRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reversed DNS, as CloudEvents recommends; dots and letters alone, as Standard Webhooks wants. */
export function eventType(event: Pick<JobEvent, 'type'>): string {
  return `dev.krake.hooks.job.${event.type}`;
}

/**
 * What is sent for a delivery: a structured CloudEvent, or the Webhook's requestBody verbatim, with the headers of Standard Webhooks. The
 * body depends on the delivery alone (verbatim: on the Webhook), so it is the same at each attempt; the timestamp is the attempt's. Pure.
 */
export function buildRequest(
  delivery: WebhookDelivery,
  { spec }: Pick<Webhook, 'spec'>,
  keys: readonly SigningKey[],
  now: number,
  options: RequestOptions,
): DeliveryRequest {
  const verbatim = spec.format === 'verbatim';
  const body = verbatim ? spec.requestBody : cloudEvent(delivery, options);
  const contentType = verbatim
    ? (spec.contentType ?? (isJson(body) ? 'application/json' : 'text/plain'))
    : 'application/cloudevents+json; charset=utf-8';
  const id = delivery.metadata.name;
  const timestamp = Math.floor(now / 1_000);
  const headers =
    keys.length === 0
      ? { 'webhook-id': id, 'webhook-timestamp': String(timestamp) }
      : signWebhook({ id, timestamp, body, keys });
  return { headers: { 'content-type': contentType, ...headers }, body };
}

function cloudEvent({ metadata, spec: { event } }: WebhookDelivery, { eventSource }: RequestOptions): string {
  const { namespace, name } = metadata;
  const { job } = event;
  return JSON.stringify({
    specversion: '1.0',
    id: name,
    source: `${eventSource}/apis/batch/v1/namespaces/${namespace}/jobs/${job.name}`,
    type: eventType(event),
    subject: `${namespace}/${job.name}`,
    time: event.time,
    datacontenttype: 'application/json',
    data: {
      namespace,
      name: job.name,
      uid: job.uid,
      outcome: event.type,
      reason: event.reason ?? null,
      message: event.message ?? null,
      startTime: event.startTime ?? null,
      completionTime: endOf(event) ?? null,
      succeeded: event.succeeded,
      failed: event.failed,
      labels: Object.fromEntries(Object.entries(event.labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  });
}

/** Kubernetes gives only a Job that completed a completionTime; one that failed has ended when it was found to have failed. */
function endOf({ type, time, completionTime }: JobEvent): string | undefined {
  return completionTime ?? (type === 'failed' ? time : undefined);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
