import { redeliveryAsked, phaseOf, type Attempt, type WebhookDelivery } from '../../jobs/index.ts';
import { formatAge, formatSpan, formatTable, printable, type Row } from './table.ts';

export const DELIVERY_HEADER: Row = [
  'NAME',
  'JOB',
  'EVENT',
  'WEBHOOK',
  'PHASE',
  'ATTEMPTS',
  'WHY',
  'NEXT',
  'AGE',
];
const MAX_WHY = 60;

export function deliveryRow(delivery: WebhookDelivery, now: number): Row {
  const { metadata, spec, status } = delivery;
  const isPending = isAskedAgain(delivery) || phaseOf(delivery) === 'Pending';
  return [
    metadata.name,
    spec.event.job.name,
    spec.event.type,
    spec.webhook.name,
    isPending ? 'Pending' : phaseOf(delivery),
    String(status?.attempts ?? 0),
    shorten(whyOf(delivery)),
    isPending ? nextOf(delivery, now) : '',
    formatAge(metadata.creationTimestamp, now),
  ];
}

/** Everything about it: what happened, to whom it is told, and each attempt that is remembered. */
export function describeDelivery(delivery: WebhookDelivery, now: number): readonly string[] {
  const { metadata, spec, status } = delivery;
  const { event } = spec;
  const phase = isAskedAgain(delivery) ? 'Pending (asked for again)' : phaseOf(delivery);
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['name', `${metadata.name} (webhook-id of all its attempts)`],
    ['namespace', metadata.namespace],
    ['webhook', spec.webhook.name],
    ['job', `${event.job.name} (UID ${event.job.uid})`],
    ['event', `${event.type} at ${event.time}`],
    ['because', [event.reason, event.message].filter((text) => text !== undefined).join(': ') || undefined],
    ['pods', `${event.succeeded} succeeded, ${event.failed} failed`],
    ['phase', phase],
    ['why', whyOf(delivery) || undefined],
    ['delivered', status?.deliveredAt],
    ['next', phaseOf(delivery) === 'Pending' ? nextOf(delivery, now) || undefined : undefined],
    ['attempts', String(status?.attempts ?? 0)],
  ];
  const log = status?.log ?? [];
  const described = lines.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(11)}${printable(value)}`],
  );
  return log.length === 0
    ? described
    : [...described, '', ...formatTable(['ATTEMPT', 'AT', 'TOOK', 'RESULT', 'ANSWER'], log.map(attemptRow))];
}

/** Somebody wants it sent again, and the service has not seen that yet. */
export function isAskedAgain(delivery: WebhookDelivery): boolean {
  return redeliveryAsked(delivery) !== undefined;
}

/** What came of the last attempt: `HTTP 503`, `timeout: …`; undefined when there was none. */
export function lastResult({ status }: WebhookDelivery): string | undefined {
  const last = status?.log?.at(-1);
  return last === undefined ? undefined : resultOf(last);
}

function whyOf(delivery: WebhookDelivery): string {
  if (isAskedAgain(delivery)) return '';
  const phase = phaseOf(delivery);
  if (phase === 'Delivered') return '';
  const { reason } = delivery.status ?? {};
  return [reason, lastResult(delivery)].filter((text) => text !== undefined).join(': ');
}

function nextOf({ status }: WebhookDelivery, now: number): string {
  if (status?.nextAttemptAt === undefined) return '';
  const inMs = Date.parse(status.nextAttemptAt) - now;
  return inMs <= 0 ? 'now' : `in ${formatSpan(inMs + 999)}`;
}

function attemptRow({ number, at, durationMs, response = '', ...attempt }: Attempt): Row {
  return [String(number), at, `${durationMs}ms`, resultOf(attempt), shorten(printable(response))];
}

function resultOf({ status, error }: Pick<Attempt, 'status' | 'error'>): string {
  return [status === undefined ? undefined : `HTTP ${status}`, error]
    .filter((text) => text !== undefined)
    .join(', ');
}

function shorten(text: string): string {
  return text.length > MAX_WHY ? `${text.slice(0, MAX_WHY - 1)}…` : text;
}
