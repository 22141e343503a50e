import { whyDisabled, type Webhook } from '../../jobs/index.ts';
import { formatAge, printable, type Row } from './table.ts';

export const WEBHOOK_HEADER: Row = ['NAME', 'URL', 'FORMAT', 'EVENTS', 'STATE', 'DELIVERED', 'AGE'];

export function webhookRow(webhook: Webhook, now: number): Row {
  const { metadata, spec, status } = webhook;
  return [
    metadata.name,
    urlForPeople(spec.url),
    spec.format,
    spec.events.join(','),
    stateOf(webhook, now),
    formatAge(status?.lastDeliveredAt, now),
    formatAge(metadata.creationTimestamp, now),
  ];
}

/** Everything about it but what it keeps secret: where its keys are, not what; how long its body is, not how it reads. */
export function describeWebhook(webhook: Webhook, now: number): readonly string[] {
  const { metadata, spec, status } = webhook;
  const verbatim = spec.format === 'verbatim';
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['name', metadata.name],
    ['namespace', metadata.namespace],
    ['url', urlForPeople(spec.url)],
    ['description', spec.description === '' ? undefined : printable(spec.description)],
    ['format', spec.format],
    [
      'body',
      verbatim ? `${Buffer.byteLength(spec.requestBody)} bytes, as they stand in the Webhook` : undefined,
    ],
    ['events', spec.events.join(', ')],
    ['told of', toldOf(spec)],
    ['signed with', signedWith(spec)],
    [
      'limits',
      `${spec.timeoutSeconds} s for an attempt, ${spec.concurrency} attempts at once, tried for ${spec.maxAgeSeconds} s`,
    ],
    ['state', stateOf(webhook, now)],
    ['why', whyDisabled(webhook)],
    ['last error', status?.lastError === undefined ? undefined : printable(status.lastError)],
    ['last taken', status?.lastDeliveredAt ?? 'never'],
    [
      'go on with',
      whyDisabled(webhook) === undefined
        ? undefined
        : `krake-hooks webhooks enable ${metadata.name} -n ${metadata.namespace}`,
    ],
  ];
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [`${`${name}:`.padEnd(13)}${value}`]));
}

/** User information and the query of a URL often are a password or a token. */
export function urlForPeople(text: string): string {
  const url = URL.parse(text);
  if (url === null) return '(not a URL)';
  const userInfo = url.username !== '' || url.password !== '' ? '…@' : '';
  return printable(`${url.protocol}//${userInfo}${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`);
}

function stateOf(webhook: Webhook, now: number): string {
  if (whyDisabled(webhook) !== undefined) return 'Disabled';
  const { failingSince } = webhook.status ?? {};
  return failingSince === undefined ? 'Ready' : `Failing (${formatAge(failingSince, now)})`;
}

function toldOf({ selector, cronJobs }: Webhook['spec']): string {
  const ways = ['Jobs whose annotation or watcher names it'];
  if (cronJobs.length > 0) ways.push(`Jobs of CronJob ${cronJobs.join(', ')}`);
  if (selector !== undefined) ways.push(`Jobs whose labels match ${JSON.stringify(selector)}`);
  return ways.join('; ');
}

function signedWith({ secretRefs }: Webhook['spec']): string {
  if (secretRefs.length === 0) return 'nothing';
  return secretRefs.map(({ name, key }) => `key ${key} of Secret ${name}`).join(', ');
}
