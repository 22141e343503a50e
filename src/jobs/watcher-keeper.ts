import { isConflict, isNotFound, type KubeClient, type ProcessResult } from '../kube/index.ts';
import { JOB_DONE_WATCHERS } from './api-version.ts';
import type { JobCaches } from './job-caches.ts';
import type { JobDoneWatcher } from './job-done-watcher.ts';
import { readJob, readWebhook } from './live-objects.ts';
import type { JobFacts } from './job-facts.ts';
import type { Outbox } from './outbox.ts';
import { planWatcher, type WantedDelivery, type WatcherPlan } from './plan-watcher.ts';
import type { JobEvent } from './webhook-delivery.ts';
import type { Webhook } from './webhook.ts';

export interface WatcherKeeperDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly caches: Pick<JobCaches, 'watchers' | 'webhooks' | 'jobs' | 'connected'>;
  readonly outbox: Outbox;
  /** The end of a Job that is gone. */
  readonly recalledEnd: (jobUid: string) => JobEvent | undefined;
  /** The namespace is opted in. */
  readonly isServed: (namespace: string) => boolean;
  readonly now: () => number;
}

/** Creates the deliveries that watchers want, and keeps their status. */
export interface WatcherKeeper {
  /** Brings one watcher, NAMESPACE/NAME, up to date. On repeat nothing happens. Rejects when the API server cannot be reached. */
  process(key: string): Promise<ProcessResult>;
}

/** A status that only says what everybody can see is written after this, if it still holds: most Jobs' ends need one write then. */
const LAZY_STATUS_MS = 1_000;
/** Timers may come a little early; who then asks again at once asks many times. */
const TIMER_SLACK_MS = 20;
const DISCONNECTED_RETRY_MS = 1_000;

/** What was read from the API server itself; undefined within: it is not there. */
interface Live {
  job?: { readonly facts: JobFacts | undefined };
  readonly webhooks: Map<string, Webhook | undefined>;
}

interface Sight {
  readonly plan: WatcherPlan;
  readonly webhookOf: (name: string) => Webhook | undefined;
}

export function createWatcherKeeper(deps: WatcherKeeperDeps): WatcherKeeper {
  const { client, caches, outbox, now } = deps;
  /** When a watcher's plan could first wait with its status. */
  const lazySince = new Map<string, number>();

  async function process(key: string): Promise<ProcessResult> {
    const known = caches.watchers.get(key);
    const watcher = known?.open;
    if (known === undefined || watcher === undefined || !deps.isServed(known.namespace)) {
      lazySince.delete(key);
      return {};
    }
    const { plan, webhookOf } = await look(watcher, known.namespace);
    if (plan.wanted.length > 0) {
      await Promise.all(plan.wanted.map((wanted) => ensureWanted(known.namespace, wanted, webhookOf)));
      return process(key);
    }
    const inMs =
      plan.lookAgainAt === undefined ? undefined : Math.max(1, plan.lookAgainAt - now() + TIMER_SLACK_MS);
    const lookAgain: ProcessResult = inMs === undefined ? {} : { requeueAfterMs: inMs };
    if (!plan.changed) return lookAgain;
    const waitMs = waitFor(key, plan);
    if (waitMs > 0) return { requeueAfterMs: Math.min(waitMs, inMs ?? Number.POSITIVE_INFINITY) };
    lazySince.delete(key);
    await writeStatus(watcher, plan.status);
    return lookAgain;
  }

  /**
   * Plans upon the caches, and upon the objects themselves where something final would rest on what is not in them: each kind has a watch of its own, which may be
   * far behind the one that has brought the watcher.
   */
  async function look(watcher: JobDoneWatcher, namespace: string): Promise<Sight> {
    const live: Live = { webhooks: new Map() };
    for (;;) {
      const missing = new Set<string>();
      const webhookOf = (name: string): Webhook | undefined => {
        const webhook = caches.webhooks.get(`${namespace}/${name}`) ?? live.webhooks.get(name);
        if (webhook === undefined && !live.webhooks.has(name)) missing.add(name);
        return webhook;
      };
      const job = live.job === undefined ? cachedJob(watcher, namespace) : live.job.facts;
      const plan = planFor(watcher, namespace, job, webhookOf);
      const needsJob = plan.restsOnNoEnd && live.job === undefined;
      if (!needsJob && missing.size === 0) return { plan, webhookOf };
      if (needsJob) live.job = { facts: await readJob(client, namespace, watcher.spec.jobName) };
      for (const name of missing) live.webhooks.set(name, await readWebhook(client, namespace, name));
    }
  }

  function cachedJob({ spec }: JobDoneWatcher, namespace: string): JobFacts | undefined {
    return caches.jobs.get(`${namespace}/${spec.jobName}`);
  }

  function planFor(
    watcher: JobDoneWatcher,
    namespace: string,
    job: JobFacts | undefined,
    webhookOf: Sight['webhookOf'],
  ): WatcherPlan {
    return planWatcher({
      watcher,
      job,
      recalledEnd: deps.recalledEnd,
      webhook: (name) => {
        const webhook = webhookOf(name);
        return webhook && { uid: webhook.metadata.uid, events: webhook.spec.events };
      },
      delivery: (uid, event, occasion) =>
        outbox.find({ namespace, webhook: { name: '', uid }, event, occasion }),
      now: now(),
    });
  }

  /** For how long the status is not to be written yet; 0 or less: it is. */
  function waitFor(key: string, plan: WatcherPlan): number {
    // What is not seen may have happened: nothing final is decided upon an old picture.
    if (!plan.canWait) return caches.connected() ? 0 : DISCONNECTED_RETRY_MS;
    const since = lazySince.get(key) ?? now();
    lazySince.set(key, since);
    const leftMs = since + LAZY_STATUS_MS - now();
    return leftMs > 0 ? leftMs + TIMER_SLACK_MS : 0;
  }

  async function ensureWanted(
    namespace: string,
    { webhook, event, occasion }: WantedDelivery,
    webhookOf: Sight['webhookOf'],
  ): Promise<void> {
    const { metadata } = webhookOf(webhook) ?? {};
    if (metadata === undefined) return;
    await outbox.ensure({ namespace, webhook: { name: webhook, uid: metadata.uid }, event, occasion });
  }

  async function writeStatus({ metadata }: JobDoneWatcher, status: object): Promise<void> {
    const { namespace, name, uid, resourceVersion } = metadata;
    try {
      await client.patch(
        { resource: JOB_DONE_WATCHERS, namespace, name, subresource: 'status' },
        { type: 'merge', body: { metadata: { uid, resourceVersion }, status } },
      );
    } catch (error) {
      // Gone, or the watch is about to bring what another has written, and with it the next look.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  return { process };
}
