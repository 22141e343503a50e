import { isConflict, isNotFound, type KubeClient, type ProcessResult } from '../kube/index.ts';
import { JOB_DONE_WATCHERS } from './api-version.ts';
import { boundUid, chooseJob } from './choose-job.ts';
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
  readonly caches: Pick<
    JobCaches,
    'watchers' | 'webhooks' | 'jobs' | 'gone' | 'index' | 'connected' | 'isServed'
  >;
  readonly outbox: Outbox;
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
const BEHIND_RETRY_MS = 1_000;
/** Time may pass another limit meanwhile; what is still wanted after so many creations is not found again, and more of them would not help. */
const MAX_ROUNDS = 3;

/** What was read from the API server itself; undefined within: it is not there. */
interface Live {
  job?: { readonly facts: JobFacts | undefined };
  readonly webhooks: Map<string, Webhook | undefined>;
}

interface Sight {
  readonly plan: WatcherPlan;
  /** The plan is final, and rests on no end of a Job that is gone, but the watch has not yet brought how it went. */
  readonly isEarly: boolean;
  readonly webhookOf: (name: string) => Webhook | undefined;
}

export function createWatcherKeeper(deps: WatcherKeeperDeps): WatcherKeeper {
  const { client, caches, outbox, now } = deps;
  /** When a watcher's plan could first wait with its status. */
  const lazySince = new Map<string, number>();

  async function process(key: string): Promise<ProcessResult> {
    const known = caches.watchers.get(key);
    const watcher = known?.open;
    if (known === undefined || watcher === undefined || !caches.isServed(known.namespace)) {
      lazySince.delete(key);
      return {};
    }
    const plan = await carryOut(watcher, known.namespace);
    if (plan === undefined) return { requeueAfterMs: BEHIND_RETRY_MS };
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

  /** Creates what the watcher wants; resolves to the plan that then holds, undefined when it is too early for one. */
  async function carryOut(watcher: JobDoneWatcher, namespace: string): Promise<WatcherPlan | undefined> {
    const live: Live = { webhooks: new Map() };
    for (let round = 0; ; round += 1) {
      const { plan, isEarly, webhookOf } = await look(watcher, namespace, live);
      if (isEarly) return undefined;
      if (plan.wanted.length === 0) return plan;
      if (round === MAX_ROUNDS) throw new Error('a delivery that is stored is not found again');
      await Promise.all(plan.wanted.map((wanted) => ensureWanted(namespace, wanted, webhookOf)));
    }
  }

  /**
   * Plans upon the caches, and upon the objects themselves where something final would rest on what is not in them: each kind has a watch of its own, which may be
   * far behind the one that has brought the watcher. Final is also which Job a watcher is bound to.
   */
  async function look(watcher: JobDoneWatcher, namespace: string, live: Live): Promise<Sight> {
    const { jobName } = watcher.spec;
    for (;;) {
      const missing = new Set<string>();
      const webhookOf = (name: string): Webhook | undefined => {
        const webhook = caches.webhooks.get(`${namespace}/${name}`) ?? live.webhooks.get(name);
        if (webhook === undefined && !live.webhooks.has(name)) missing.add(name);
        return webhook;
      };
      const cached = caches.jobs.get(`${namespace}/${jobName}`);
      const job = jobFor(watcher, namespace, cached, live);
      const plan = planFor(watcher, namespace, job, webhookOf);
      const isBound = boundUid(watcher) !== undefined;
      const needsJob = live.job === undefined && (plan.restsOnNoEnd || (!isBound && job !== undefined));
      if (!needsJob && missing.size === 0) {
        const isEarly =
          cached !== undefined && cached.uid === boundUid(watcher) && cached.uid !== live.job?.facts?.uid;
        return { plan, isEarly: plan.restsOnNoEnd && isEarly, webhookOf };
      }
      if (needsJob) live.job = { facts: await readJob(client, namespace, jobName) };
      for (const name of missing) live.webhooks.set(name, await readWebhook(client, namespace, name));
    }
  }

  function jobFor(
    watcher: JobDoneWatcher,
    namespace: string,
    cached: JobFacts | undefined,
    live: Live,
  ): JobFacts | undefined {
    const living = live.job === undefined ? cached : live.job.facts;
    if (boundUid(watcher) !== undefined) return living;
    const gone = caches.gone.endedOf(namespace, watcher.spec.jobName);
    return chooseJob(watcher, living, cached === undefined ? gone : [...gone, cached]);
  }

  /** The end of a Job that is gone, as it was seen, or as the outbox tells it. */
  function recalledEnd(jobUid: string): JobEvent | undefined {
    const end = caches.gone.endOf(jobUid);
    if (end !== undefined) return end;
    for (const { event } of caches.index.deliveriesOf(jobUid)) {
      if (event.type === 'complete' || event.type === 'failed') return event;
    }
    return undefined;
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
      recalledEnd,
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
    if (!plan.canWait) return caches.connected() ? 0 : BEHIND_RETRY_MS;
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
