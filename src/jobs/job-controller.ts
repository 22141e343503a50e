import { isDeepStrictEqual } from 'node:util';
import {
  createWorkQueue,
  type EventRecorder,
  type KubeClient,
  type ProcessResult,
  type WorkQueueMetrics,
} from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { chooseWebhooks } from './choose-webhooks.ts';
import { createCollector } from './collector.ts';
import type { JobCaches } from './job-caches.ts';
import { deletedEvent, type JobFacts } from './job-facts.ts';
import { createJobMarker, settledMark } from './job-marker.ts';
import type { KnownWatcher } from './known-watcher.ts';
import { createOutbox, type OutboxEntry } from './outbox.ts';
import { readOwnerAsks } from './owner-asks.ts';
import { createWatcherKeeper } from './watcher-keeper.ts';
import type { JobEvent, WebhookDelivery } from './webhook-delivery.ts';
import type { Webhook } from './webhook.ts';

export interface JobControllerDeps {
  readonly client: KubeClient;
  readonly caches: JobCaches;
  /** Takes over each delivery as soon as it is stored; may be called again with the same one. */
  readonly deliver: (delivery: WebhookDelivery) => void;
  readonly events: EventRecorder;
  readonly logger: Logger;
  readonly now: () => number;
  readonly queueMetrics?: WorkQueueMetrics;
}

export interface JobControllerOptions {
  readonly workers: number;
  /** A Job that ended longer ago than this, and was not told of, is not told of any more (watchers are). */
  readonly catchUpMs: number;
  readonly finishedTtlMs: number;
  readonly deadLetterTtlMs: number;
  readonly maxFinishedPerNamespace: number;
}

export interface JobController {
  readonly name: string;
  /** The caches have to be filled. To be called once: a new leader makes a new controller. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  ready(): boolean;
  /** More is to be done than is being done: what can wait should. */
  busy(): boolean;
}

interface Happening {
  readonly job: JobFacts;
  readonly event: JobEvent;
}

/**
 * Sees what happens to Jobs and makes deliveries of it, keeps the status of watchers, marks Jobs whose deliveries have all ended, and collects what is old. Run by
 * the leader alone; a second one for a moment does no harm, since deliveries have derived names.
 */
export function createJobController(deps: JobControllerDeps, options: JobControllerOptions): JobController {
  const { client, caches, logger, now } = deps;
  const { index } = caches;
  const outbox = createOutbox({ client, caches, onCreated: deps.deliver, onForeign });
  const marker = createJobMarker({
    isBusy: () => queue.depth() > 0,
    client,
    caches,
    outbox,
    logger,
    ...(deps.queueMetrics && { queueMetrics: deps.queueMetrics }),
  });
  const collector = createCollector({ client, caches, logger, now }, options);
  /** What happened and is not yet in the outbox, by Job UID and event: the Job may be gone before it is. */
  const happenings = new Map<string, Happening>();
  const watcherKeeper = createWatcherKeeper({ client, caches, outbox, now });
  let stopListening: (() => void) | undefined;

  const queue = createWorkQueue<string>({
    name: 'jobs',
    process: (key) => (key.startsWith('w:') ? watcherKeeper.process(key.slice(2)) : processHappening(key)),
    workers: options.workers,
    logger,
    backoffBaseMs: 50,
    backoffMaxMs: 30_000,
    ...(deps.queueMetrics && { metrics: deps.queueMetrics }),
  });

  function happened(job: JobFacts, event: JobEvent): void {
    const key = `h:${settledMark(event)}`;
    happenings.set(key, { job, event });
    queue.add(key);
  }

  function onJob(before: JobFacts | undefined, after: JobFacts | undefined): void {
    const same = before?.uid === after?.uid ? before : undefined;
    if (before !== undefined && same === undefined && before.end === undefined) {
      happened(before, deletedEvent(before, now()));
    }
    if (after !== undefined) onLiving(same, after);
    const job = after ?? before;
    if (job === undefined) return;
    if (same === undefined || (same.end === undefined && after?.end !== undefined)) {
      for (const watcher of index.watchersOf(job.namespace, job.name)) enqueueWatcher(watcher);
    }
  }

  function onLiving(before: JobFacts | undefined, { end, suspended, ...job }: JobFacts): void {
    const after = { ...job, ...(end && { end }) };
    // Annotations and labels may come after the end.
    if (end !== undefined && !marker.isSettled(after) && asksChanged(before, after)) happened(after, end);
    if (suspended !== undefined && before?.suspended?.time !== suspended.time) happened(after, suspended);
  }

  function enqueueWatcher({ namespace, name }: Pick<KnownWatcher, 'namespace' | 'name'>): void {
    queue.add(`w:${namespace}/${name}`);
  }

  function lookAtAll(namespace?: string): void {
    for (const job of caches.jobs.store.values()) {
      if (namespace !== undefined && job.namespace !== namespace) continue;
      if (job.end !== undefined && !marker.isSettled(job)) happened(job, job.end);
      if (job.suspended !== undefined) happened(job, job.suspended);
    }
    for (const { job, event } of caches.gone.untold()) {
      if (namespace !== undefined && job.namespace !== namespace) continue;
      if (!marker.isSettled(job)) happened(job, event);
    }
    for (const watcher of caches.watchers.store.values()) {
      if (watcher.open !== undefined && (namespace === undefined || watcher.namespace === namespace))
        enqueueWatcher(watcher);
    }
  }

  /** A new Webhook may be the one that annotations have named already; and Jobs that ended after it was created may have been seen before it. */
  function lookAtJobsFor({ metadata: { namespace, name, creationTimestamp } }: Webhook): void {
    const since = Date.parse(creationTimestamp ?? '');
    for (const job of caches.jobs.store.values()) {
      if (job.namespace !== namespace || job.end === undefined) continue;
      const named =
        job.asks !== undefined &&
        Object.values(job.asks).some((names: readonly string[]) => names.includes(name));
      const awaits = !marker.isSettled(job) && (named || job.owner !== undefined);
      if (awaits || Date.parse(job.end.time) >= since) happened(job, job.end);
    }
    for (const { job, event } of caches.gone.untold()) {
      if (job.namespace === namespace && Date.parse(event.time) >= since) happened(job, event);
    }
  }

  async function processHappening(key: string): Promise<ProcessResult> {
    const happening = happenings.get(key);
    if (happening === undefined) return {};
    const { job, event } = happening;
    const tooOld = now() - Date.parse(event.time) > options.catchUpMs;
    if (caches.isServed(job.namespace) && !tooOld) await tell(job, event);
    // Another look at the same Job may have come while this one ran.
    if (happenings.get(key) === happening) happenings.delete(key);
    marker.look(job.uid);
    return {};
  }

  async function tell(job: JobFacts, event: JobEvent): Promise<void> {
    const ownerAsks = await readOwnerAsks(job, { client, caches });
    const { webhooks, missing } = chooseWebhooks(event, job, ownerAsks, index.webhooksIn(job.namespace));
    for (const name of missing) {
      record(
        job,
        'WebhookNotFound',
        `The annotation names the Webhook ${name}, which does not exist in this namespace.`,
      );
    }
    await Promise.all(
      webhooks.map(({ metadata: { name, uid } }) =>
        outbox.ensure({ namespace: job.namespace, webhook: { name, uid }, event }),
      ),
    );
  }

  function onForeign({ namespace, webhook, event }: OutboxEntry, delivery: string): void {
    logger.warn('a delivery of somebody else told something else, and was replaced', {
      namespace,
      delivery,
      webhook: webhook.name,
      job: event.job.name,
    });
    record(
      { namespace, ...event.job },
      'ForeignDelivery',
      `The WebhookDelivery ${delivery} was not made by krake-hooks and told something else of this Job; it was replaced, and may have been sent. See who may create webhookdeliveries in this namespace.`,
    );
  }

  function record(job: Pick<JobFacts, 'namespace' | 'name' | 'uid'>, reason: string, note: string): void {
    const { namespace, name, uid } = job;
    const regarding = { apiVersion: 'batch/v1', kind: 'Job', namespace, name, uid };
    deps.events.record({ regarding, type: 'Warning', reason, action: 'Deliver', note });
  }

  return {
    name: 'job controller',
    async start(signal) {
      stopListening = caches.listen({
        onJob,
        onNamespace: lookAtAll,
        onCronJob: (key) => lookAtAll(key.slice(0, key.indexOf('/'))),
        onWebhook(before, after) {
          if (after === undefined) return;
          if (before === undefined || before.metadata.uid !== after.metadata.uid) lookAtJobsFor(after);
          // Not at marked Jobs: their deliveries may have been collected, and would be sent again.
          else if (choiceChanged(before, after)) lookAtAll(after.metadata.namespace);
        },
        onWatcher(_before, after) {
          if (after?.open !== undefined) enqueueWatcher(after);
        },
        onDelivery(before, after) {
          outbox.seen(before, after);
          const known = after ?? before;
          if (known === undefined || after?.phase === 'Pending') return;
          for (const watcher of index.watchersOf(known.namespace, known.event.job.name))
            enqueueWatcher(watcher);
          marker.look(known.event.job.uid);
        },
      });
      lookAtAll();
      await marker.start(signal);
      await collector.start(signal);
      await queue.start(signal);
      logger.info('job controller works', {
        jobs: caches.jobs.store.size,
        watchers: caches.watchers.store.size,
      });
    },
    async stop() {
      stopListening?.();
      await queue.stop();
      await marker.stop();
      await collector.stop();
    },
    ready: () => queue.ready(),
    busy: () => queue.depth() > 0,
  };
}

/** Whether who is told of a Job's end may have changed. */
function asksChanged(before: JobFacts | undefined, after: JobFacts): boolean {
  if (before?.end === undefined) return true;
  return JSON.stringify([before.asks, before.labels]) !== JSON.stringify([after.asks, after.labels]);
}

/** Whether it may ask for what it did not ask for before. */
function choiceChanged({ spec: before }: Webhook, { spec: after }: Webhook): boolean {
  const choiceOf = ({ events, selector, cronJobs }: Webhook['spec']) => [events, selector, cronJobs];
  return !isDeepStrictEqual(choiceOf(before), choiceOf(after));
}
