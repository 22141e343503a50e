import { isConflict, isNotFound, type KubeClient, type ProcessResult } from '../kube/index.ts';
import { JOB_DONE_WATCHERS } from './api-version.ts';
import type { JobCaches } from './job-caches.ts';
import type { JobDoneWatcher } from './job-done-watcher.ts';
import type { Outbox } from './outbox.ts';
import { planWatcher, type WantedDelivery, type WatcherPlan } from './plan-watcher.ts';
import type { JobEvent } from './webhook-delivery.ts';

export interface WatcherKeeperDeps {
  readonly client: Pick<KubeClient, 'patch'>;
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
    const plan = planFor(watcher, known.namespace);
    if (plan.wanted.length > 0) {
      await Promise.all(plan.wanted.map((wanted) => ensureWanted(known.namespace, wanted)));
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

  function planFor(watcher: JobDoneWatcher, namespace: string): WatcherPlan {
    return planWatcher({
      watcher,
      job: caches.jobs.get(`${namespace}/${watcher.spec.jobName}`),
      recalledEnd: deps.recalledEnd,
      webhook: (name) => {
        const webhook = caches.webhooks.get(`${namespace}/${name}`);
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
  ): Promise<void> {
    const { metadata } = caches.webhooks.get(`${namespace}/${webhook}`) ?? {};
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
