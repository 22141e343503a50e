import { LABEL_ENABLED, SYSTEM_NAMESPACES } from '../contract/index.ts';
import { createReflector, type Reflector, type ReflectorMetrics, type WatchClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { CRON_JOBS, JOB_DONE_WATCHERS, JOBS, WEBHOOK_DELIVERIES, WEBHOOKS } from './api-version.ts';
import { createGoneJobs, type GoneJobs } from './gone-jobs.ts';
import { createJobIndex, type JobIndex } from './job-index.ts';
import { projectJob, readAsks, type Asks, type JobFacts } from './job-facts.ts';
import { projectDelivery, type KnownDelivery } from './known-delivery.ts';
import { projectWatcher, type KnownWatcher } from './known-watcher.ts';
import { projectWebhook } from './project-webhook.ts';
import type { Webhook } from './webhook.ts';

export interface NamespaceFacts {
  readonly terminating: boolean;
}

export interface CronJobFacts {
  readonly uid: string;
  readonly asks: Asks;
}

/** Told of changes after the caches have them; see createReflector. */
export interface CacheListener {
  onNamespace?(name: string): void;
  onJob?(before: JobFacts | undefined, after: JobFacts | undefined): void;
  onCronJob?(key: string): void;
  onWebhook?(before: Webhook | undefined, after: Webhook | undefined): void;
  onWatcher?(before: KnownWatcher | undefined, after: KnownWatcher | undefined): void;
  onDelivery?(before: KnownDelivery | undefined, after: KnownDelivery | undefined): void;
}

/**
 * The watch caches of the part, on every replica: REST answers from them, and a new leader has them filled. A component of the process.
 * Listeners come and go with the leadership; who comes looks at all that is there first.
 */
export interface JobCaches {
  readonly name: string;
  readonly namespaces: Reflector<NamespaceFacts>;
  readonly jobs: Reflector<JobFacts>;
  readonly cronJobs: Reflector<CronJobFacts>;
  readonly webhooks: Reflector<Webhook>;
  readonly watchers: Reflector<KnownWatcher>;
  readonly deliveries: Reflector<KnownDelivery>;
  /** Also one that is being deleted, until it is gone. */
  isOptedIn(namespace: string): boolean;
  /** Opted in, and not being deleted. */
  isServed(namespace: string): boolean;
  readonly index: JobIndex;
  /** Jobs that are no more in the cache, for a while. */
  readonly gone: GoneJobs;
  listen(listener: CacheListener): () => void;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** All first lists are complete. */
  ready(): boolean;
  /** All watches are open: what is here lags by no more than the streams. */
  connected(): boolean;
}

export interface JobCachesDeps {
  readonly client: WatchClient;
  readonly logger: Logger;
  readonly metrics?: ReflectorMetrics;
  /** Default Date.now. */
  readonly now?: () => number;
}

/** @param excludedNamespaces namespaces that are never opted in, besides Kubernetes' own */
export function createJobCaches(deps: JobCachesDeps, excludedNamespaces: readonly string[]): JobCaches {
  const { client, logger } = deps;
  const common = { client, logger, ...(deps.metrics && { metrics: deps.metrics }) };
  const excluded = new Set<string>([...SYSTEM_NAMESPACES, ...excludedNamespaces]);
  const index = createJobIndex();
  const isServed = (namespace: string) => namespaces.get(namespace)?.terminating === false;
  const gone = createGoneJobs({
    index,
    isServed,
    now: deps.now ?? Date.now,
  });
  // First of all: the others look things up in them.
  const listeners = new Set<CacheListener>([index.listener, gone.listener]);
  const tell = (what: (listener: CacheListener) => void) => {
    for (const listener of listeners) what(listener);
  };

  const namespaces = createReflector<NamespaceFacts>({
    ...common,
    resource: { apiVersion: 'v1', plural: 'namespaces' },
    labelSelector: `${LABEL_ENABLED}=true`,
    metadataOnly: true,
    project: ({ metadata }) =>
      excluded.has(metadata.name ?? '')
        ? undefined
        : { terminating: metadata.deletionTimestamp !== undefined },
    onChange: (name) => tell((l) => l.onNamespace?.(name)),
  });
  const jobs = createReflector<JobFacts>({
    ...common,
    resource: JOBS,
    project: projectJob,
    onChange: (_key, before, after) => tell((l) => l.onJob?.(before, after)),
  });
  const cronJobs = createReflector<CronJobFacts>({
    ...common,
    resource: CRON_JOBS,
    metadataOnly: true,
    project: ({ metadata }) => {
      const asks = readAsks(metadata.annotations);
      return asks === undefined ? undefined : { uid: metadata.uid ?? '', asks };
    },
    onChange: (key) => tell((l) => l.onCronJob?.(key)),
  });
  const webhooks = createReflector<Webhook>({
    ...common,
    resource: WEBHOOKS,
    project: projectWebhook,
    onChange: (_key, before, after) => tell((l) => l.onWebhook?.(before, after)),
  });
  const watchers = createReflector<KnownWatcher>({
    ...common,
    resource: JOB_DONE_WATCHERS,
    project: projectWatcher,
    onChange: (_key, before, after) => tell((l) => l.onWatcher?.(before, after)),
  });
  const deliveries = createReflector<KnownDelivery>({
    ...common,
    resource: WEBHOOK_DELIVERIES,
    project: projectDelivery,
    onChange: (_key, before, after) => tell((l) => l.onDelivery?.(before, after)),
  });
  const all: readonly Reflector<object>[] = [namespaces, jobs, cronJobs, webhooks, watchers, deliveries];

  return {
    name: 'jobs: watch caches',
    namespaces,
    isOptedIn: (namespace) => namespaces.get(namespace) !== undefined,
    isServed,
    jobs,
    cronJobs,
    webhooks,
    watchers,
    deliveries,
    index,
    gone,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async start(signal) {
      await Promise.all(all.map((reflector) => reflector.start(signal)));
    },
    async stop() {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
    ready: () => all.every((reflector) => reflector.ready()),
    connected: () => all.every((reflector) => reflector.connected()),
  };
}
