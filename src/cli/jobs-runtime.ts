import type { Config } from '../config/index.ts';
import {
  createDeliverer,
  createDelivererEvents,
  createEndpointStatus,
  createSigningKeys,
  type Deliverer,
  type DelivererMetrics,
  type OutcomeWriter,
} from '../deliveries/index.ts';
import { createJobController, readWebhook, type JobCaches } from '../jobs/index.ts';
import type { EventRecorder, FullKubeClient, WorkQueueMetrics } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import type { OutboundCaller } from '../outbound/index.ts';

export interface JobsRuntimeDeps {
  readonly client: FullKubeClient;
  readonly caches: JobCaches;
  readonly caller: OutboundCaller;
  /** Of the process: it outlives the leadership. */
  readonly outcomes: OutcomeWriter;
  readonly events: EventRecorder;
  readonly logger: Logger;
  readonly delivererMetrics: DelivererMetrics;
  readonly queueMetrics?: WorkQueueMetrics;
}

/** What the leader runs: the job controller and the deliverer, joined by the outbox. */
export interface JobsRuntime {
  /** The caches have to be filled. To be called once. When the signal is aborted everything ends at once, calls under way included. */
  start(signal: AbortSignal): Promise<void>;
  /** Begins nothing more, at once; calls under way may end, and what came of them is written. The same when the lease is lost. */
  stop(): Promise<void>;
  ready(): boolean;
  /** More deliveries are to be stored than are being stored. */
  busy(): boolean;
  pending(): number;
}

/** A probe that fails doubles the time, up to this. */
const MAX_BREAKER_OPEN_MS = 60_000;

export function createJobsRuntime(
  deps: JobsRuntimeDeps,
  { jobs, outbound }: Pick<Config, 'jobs' | 'outbound'>,
): JobsRuntime {
  const { client, caches, logger } = deps;
  const events = createDelivererEvents(deps.events);
  const endpoints = createEndpointStatus(
    { client, logger, onDisabled: (webhook, why) => events.disabled(webhook, why) },
    { disableAfterMs: jobs.disableAfter },
  );
  const deliverer: Deliverer = createDeliverer(
    {
      caller: deps.caller,
      outcomes: deps.outcomes,
      keys: createSigningKeys(client, () => performance.now()),
      // One that is being deleted is opted in until it is gone: what has happened in it is told.
      isOptedIn: (namespace) => caches.isOptedIn(namespace),
      webhook: (namespace, name) => caches.webhooks.get(`${namespace}/${name}`),
      readWebhook: (namespace, name) => readWebhook(client, namespace, name),
      endpoints,
      events,
      metrics: deps.delivererMetrics,
      logger,
      now: Date.now,
      random: Math.random,
    },
    {
      retryBaseMs: jobs.retryBase,
      retryCapMs: jobs.retryCap,
      retryAfterCeilingMs: jobs.retryAfterCeiling,
      maxRefusals: jobs.maxRefusals,
      eventSource: jobs.eventSource,
      connectTimeoutMs: outbound.connectTimeout,
      breaker: { failures: jobs.breakerFailures, openMs: jobs.breakerOpen, maxOpenMs: MAX_BREAKER_OPEN_MS },
    },
  );
  const controller = createJobController(
    {
      client,
      caches,
      deliver: (delivery) => deliverer.offer(delivery),
      events: deps.events,
      logger,
      now: Date.now,
      ...(deps.queueMetrics && { queueMetrics: deps.queueMetrics }),
    },
    {
      workers: jobs.workers,
      catchUpMs: jobs.catchUp,
      finishedTtlMs: jobs.finishedTtl,
      deadLetterTtlMs: jobs.deadLetterTtl,
      maxFinishedPerNamespace: jobs.maxFinishedPerNamespace,
    },
  );
  let stopListening: (() => void) | undefined;
  let isStopping = false;

  return {
    async start(signal) {
      stopListening = caches.listen({
        onDelivery(before, after) {
          if (after?.open !== undefined) deliverer.offer(after.open);
          else if (before !== undefined) deliverer.forget(before.namespace, before.name);
        },
        onWebhook(before, after) {
          deliverer.webhookChanged(before, after);
          if (after !== undefined) endpoints.seen(after);
          if (before !== undefined && before.metadata.uid !== after?.metadata.uid)
            endpoints.forget(before.metadata.uid);
        },
        onNamespace: (name) => deliverer.namespaceChanged(name),
      });
      for (const { open } of caches.deliveries.store.values()) if (open !== undefined) deliverer.offer(open);
      for (const webhook of caches.webhooks.store.values()) endpoints.seen(webhook);
      await deliverer.start(signal);
      await controller.start(signal);
    },
    async stop() {
      isStopping = true;
      await Promise.all([controller.stop(), deliverer.stop()]);
      stopListening?.();
    },
    ready: () => controller.ready() && deliverer.ready(),
    busy: () => !isStopping && controller.busy(),
    pending: () => deliverer.pending(),
  };
}
