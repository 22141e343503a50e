import type { Asks, JobFacts } from './job-facts.ts';
import { matchesSelector } from './label-selector.ts';
import type { JobEvent } from './webhook-delivery.ts';
import type { Webhook } from './webhook.ts';

export interface Chosen {
  readonly webhooks: readonly Webhook[];
  /** Names in annotations that no Webhook of the namespace has. */
  readonly missing: readonly string[];
}

/**
 * The Webhooks that are told of an event: those that annotations of the Job or its owner name, and those whose selector or family the Job belongs to. The latter
 * are told only of what happened since they were created. Each is told only of the events that it asks for. Pure.
 */
export function chooseWebhooks(
  event: JobEvent,
  job: Pick<JobFacts, 'labels' | 'owner' | 'asks'>,
  ownerAsks: Asks | undefined,
  webhooks: Iterable<Webhook>,
): Chosen {
  const named = new Set([...namedFor(event.type, job.asks), ...namedFor(event.type, ownerAsks)]);
  const missing = new Set(named);
  const chosen: Webhook[] = [];
  for (const webhook of webhooks) {
    const { name } = webhook.metadata;
    missing.delete(name);
    if (!asksFor(webhook, event)) continue;
    if (named.has(name) || (existedAt(webhook, event.time) && choosesJob(webhook, job))) chosen.push(webhook);
  }
  return { webhooks: chosen, missing: [...missing] };
}

function namedFor(type: JobEvent['type'], asks: Asks | undefined): readonly string[] {
  if (asks === undefined) return [];
  switch (type) {
    case 'complete':
      return [...asks.done, ...asks.complete];
    case 'failed':
      return [...asks.done, ...asks.failed];
    default:
      // Not an end: who is named for the end is told as well, if it asks for such events.
      return asks.done;
  }
}

function asksFor({ spec }: Webhook, { type }: JobEvent): boolean {
  return type !== 'test' && spec.events.includes(type);
}

function choosesJob({ spec }: Webhook, { labels, owner }: Pick<JobFacts, 'labels' | 'owner'>): boolean {
  if (owner?.kind === 'CronJob' && spec.cronJobs.includes(owner.name)) return true;
  return spec.selector !== undefined && matchesSelector(spec.selector, labels);
}

/** Both times are whole seconds. */
function existedAt({ metadata }: Webhook, time: string): boolean {
  return Date.parse(metadata.creationTimestamp ?? '') <= Date.parse(time);
}
