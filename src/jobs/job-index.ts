import { createGroups } from './groups.ts';
import type { CacheListener } from './job-caches.ts';
import type { JobFacts } from './job-facts.ts';
import type { KnownDelivery } from './known-delivery.ts';
import type { KnownWatcher } from './known-watcher.ts';
import type { Webhook } from './webhook.ts';

/** The watch caches by other keys than their own. */
export interface JobIndex {
  jobByUid(uid: string): JobFacts | undefined;
  /** Of a namespace. */
  webhooksIn(namespace: string): Iterable<Webhook>;
  webhookByUid(uid: string): Webhook | undefined;
  watcherByUid(uid: string): KnownWatcher | undefined;
  /** Those whose phase is not final. */
  watchersOf(namespace: string, jobName: string): Iterable<KnownWatcher>;
  deliveriesOf(jobUid: string): Iterable<KnownDelivery>;
}

export function createJobIndex(): JobIndex & { readonly listener: CacheListener } {
  const jobs = new Map<string, JobFacts>();
  const webhooks = new Map<string, Webhook>();
  const watchers = new Map<string, KnownWatcher>();
  const webhooksByNamespace = createGroups<Webhook>();
  const watchersByJob = createGroups<KnownWatcher>();
  const deliveriesByJob = createGroups<KnownDelivery>();

  return {
    jobByUid: (uid) => jobs.get(uid),
    webhooksIn: (namespace) => webhooksByNamespace.of(namespace),
    webhookByUid: (uid) => webhooks.get(uid),
    watcherByUid: (uid) => watchers.get(uid),
    watchersOf: (namespace, jobName) => watchersByJob.of(`${namespace}/${jobName}`),
    deliveriesOf: (jobUid) => deliveriesByJob.of(jobUid),
    listener: {
      onJob(before, after) {
        if (before !== undefined) jobs.delete(before.uid);
        if (after !== undefined) jobs.set(after.uid, after);
      },
      onWebhook(before, after) {
        if (before !== undefined) {
          webhooks.delete(before.metadata.uid);
          webhooksByNamespace.remove(before.metadata.namespace, before.metadata.uid);
        }
        if (after !== undefined) {
          webhooks.set(after.metadata.uid, after);
          webhooksByNamespace.add(after.metadata.namespace, after.metadata.uid, after);
        }
      },
      onWatcher(before, after) {
        if (before !== undefined) {
          watchers.delete(before.uid);
          watchersByJob.remove(`${before.namespace}/${before.jobName}`, before.uid);
        }
        if (after !== undefined) {
          watchers.set(after.uid, after);
          if (after.open !== undefined)
            watchersByJob.add(`${after.namespace}/${after.jobName}`, after.uid, after);
        }
      },
      onDelivery(before, after) {
        if (before !== undefined) deliveriesByJob.remove(before.event.job.uid, before.name);
        if (after !== undefined) deliveriesByJob.add(after.event.job.uid, after.name, after);
      },
    },
  };
}
