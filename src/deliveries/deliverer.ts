import { isDeepStrictEqual } from 'node:util';
import { pause, systemClock } from '../kube/index.ts';
import {
  ANNOTATION_REDELIVER,
  redeliveryAsked,
  whyDisabled,
  type Webhook,
  type WebhookDelivery,
} from '../jobs/index.ts';
import type { Logger } from '../observability/index.ts';
import {
  backoffMs,
  createEndpointQueues,
  type BreakerOptions,
  type EndpointHealth,
  type EndpointQueues,
  type OutboundCaller,
  type Processed,
} from '../outbound/index.ts';
import {
  afterAttempt,
  newRound,
  pauseAsked,
  withoutAttempt,
  type AttemptResult,
  type RetryOptions,
} from './after-attempt.ts';
import { attempt, type AttemptDeps, type AttemptOptions } from './attempt.ts';
import type { DelivererEvents } from './deliverer-events.ts';
import type { DelivererMetrics } from './deliverer-metrics.ts';
import { endpointOf, isPending, keyOf, recordOf, type DeliveryRecord } from './delivery-record.ts';
import type { EndpointStatus } from './endpoint-status.ts';
import { afterMending, isMended } from './mended.ts';
import type { OutcomeWriter } from './outcome-writer.ts';
import { createReporter } from './reporter.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface DelivererDeps {
  readonly caller: OutboundCaller;
  readonly keys: SigningKeys;
  readonly outcomes: OutcomeWriter;
  /** Also one that is being deleted is, until it is gone. */
  readonly isOptedIn: (namespace: string) => boolean;
  /** From the watch cache. */
  readonly webhook: (namespace: string, name: string) => Webhook | undefined;
  /** From the API server itself. Rejects when it cannot be asked. */
  readonly readWebhook: (namespace: string, name: string) => Promise<Webhook | undefined>;
  readonly endpoints: EndpointStatus;
  readonly events: DelivererEvents;
  readonly metrics: DelivererMetrics;
  readonly logger: Logger;
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface DelivererOptions extends RetryOptions, AttemptOptions {
  readonly breaker: BreakerOptions;
}

/** Brings deliveries to their endpoints. To be run by the leader alone: the Lease is the claim on all deliveries. */
export interface Deliverer {
  readonly name: string;
  /** When the signal is aborted, calls under way are aborted: they stay Pending. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Begins nothing more. What is under way has been sent already, so it may end for some seconds, and what came of it is written, lest the next leader sends it again.
   */
  stop(): Promise<void>;
  ready(): boolean;
  /** Takes a delivery that is Pending, or asked for again. The same one again changes nothing. */
  offer(delivery: WebhookDelivery): void;
  /** It is gone, or the watch shows its end. */
  forget(namespace: string, name: string): void;
  /**
   * A Webhook has changed, come or gone. If it is called in another way from now on (its URL was mended, or its keys), what waits for it is tried within seconds,
   * whatever it has waited for; not all of it at once. What waits for one that is gone ends.
   */
  webhookChanged(before: Webhook | undefined, after: Webhook | undefined): void;
  /** It may be opted in, or not any more. What waits in a namespace that is not is held: nothing of it is sent or ended until it is again. */
  namespaceChanged(name: string): void;
  pending(): number;
}

const STOP_GRACE_MS = 3_000;
const FLUSH_MS = 3_000;
/** What waits for an endpoint that was mended comes within this time. */
const MENDED_SPREAD_MS = 5_000;
/** The API server is away. */
const TROUBLE_BACKOFF = { baseMs: 200, capMs: 5_000 };
/** Says nothing of the endpoint. */
const DONE: Processed = { health: 'neutral' };

export function createDeliverer(deps: DelivererDeps, options: DelivererOptions): Deliverer {
  const { logger, now, outcomes } = deps;
  const records = new Map<string, DeliveryRecord>();
  let queues: EndpointQueues | undefined;
  const attemptDeps: AttemptDeps = { caller: deps.caller, keys: deps.keys, now };
  const report = createReporter(deps);

  async function process(key: string, signal: AbortSignal): Promise<Processed> {
    const record = records.get(key);
    if (record === undefined) return DONE;
    try {
      const processed = await processRecord(record, signal);
      record.troubles = 0;
      return processed;
    } catch (error) {
      // The next leader, or the next start, takes up what was interrupted.
      return signal.aborted ? DONE : afterTrouble(record, error);
    }
  }

  async function processRecord(record: DeliveryRecord, signal: AbortSignal): Promise<Processed> {
    // Held: it comes again by namespaceChanged.
    if (!deps.isOptedIn(record.delivery.metadata.namespace)) return DONE;
    beginRoundIfAsked(record);
    if (!isPending(record)) return DONE;
    const waitMs = dueInMs(record);
    const wait: Processed = { health: 'neutral', againInMs: waitMs };
    if (waitMs > 0 && cachedTarget(record.delivery) !== undefined) return wait;
    // What waits for a Webhook that is gone need not wait for its time.
    const webhook = await targetOf(record.delivery);
    if (webhook === undefined) return end(record, { phase: 'Cancelled', reason: 'WebhookDeleted' });
    if (waitMs > 0) return wait;
    if (whyDisabled(webhook) !== undefined)
      return end(record, { phase: 'DeadLetter', reason: 'EndpointDisabled' }, webhook);
    return tryOnce(record, webhook, signal);
  }

  /** The Webhook that is meant; undefined: it is gone. What would end the delivery is asked of the API server: its watch may be behind that of the deliveries. */
  async function targetOf(delivery: WebhookDelivery): Promise<Webhook | undefined> {
    const cached = cachedTarget(delivery);
    if (cached !== undefined && whyDisabled(cached) === undefined) return cached;
    const { metadata, spec } = delivery;
    const live = await deps.readWebhook(metadata.namespace, spec.webhook.name);
    return live?.metadata.uid === spec.webhook.uid ? live : undefined;
  }

  /** Undefined: the watch shows none, or a namesake. */
  function cachedTarget({ metadata, spec }: WebhookDelivery): Webhook | undefined {
    const cached = deps.webhook(metadata.namespace, spec.webhook.name);
    return cached?.metadata.uid === spec.webhook.uid ? cached : undefined;
  }

  async function tryOnce(record: DeliveryRecord, webhook: Webhook, signal: AbortSignal): Promise<Processed> {
    const startedAt = now();
    const outcome = await attempt(record.delivery, webhook, attemptDeps, options, signal);
    if (signal.aborted) return DONE; // this attempt does not count
    const facts = { startedAt, now: now(), random: deps.random() };
    const known = { metadata: record.delivery.metadata, status: record.status };
    record.status = afterAttempt(known, webhook.spec, outcome, facts, options);
    report.attempted(record, webhook, outcome, facts.now - startedAt);
    outcomes.changed(record);
    // It was mended while this call was under way.
    if (isPending(record) && isMended(webhook, cachedTarget(record.delivery))) hasten(record);
    const pauseMs = pauseAsked(outcome, facts.now, options);
    return {
      health: healthOf(outcome),
      ...(isPending(record) && { againInMs: Math.max(1, dueInMs(record)) }),
      ...(pauseMs !== undefined && { pauseMs }),
    };
  }

  /** The API server could not be asked for the key. */
  function afterTrouble(record: DeliveryRecord, error: unknown): Processed {
    record.troubles += 1;
    const againInMs = 100 + backoffMs(record.troubles, TROUBLE_BACKOFF, deps.random());
    const { namespace, name } = record.delivery.metadata;
    logger.warn('a delivery waits for the API server', {
      namespace,
      delivery: name,
      againInMs,
      error: error instanceof Error ? error.message : String(error),
    });
    return { health: 'neutral', againInMs };
  }

  function end(
    record: DeliveryRecord,
    how: { readonly phase: 'DeadLetter' | 'Cancelled'; readonly reason: string },
    webhook?: Webhook,
  ): Processed {
    record.status = withoutAttempt(record.status, how, now());
    report.endedUnsent(record, how, webhook);
    outcomes.changed(record);
    return DONE;
  }

  function dueInMs({ status }: DeliveryRecord): number {
    return status.nextAttemptAt === undefined ? 0 : Date.parse(status.nextAttemptAt) - now();
  }

  function askedOf({ delivery, status }: DeliveryRecord): string | undefined {
    return redeliveryAsked({ metadata: delivery.metadata, status });
  }

  /** What a person waits for goes first, whatever the endpoint has asked for and however often it has failed. */
  function enqueue(key: string, record: DeliveryRecord): void {
    const { delivery, status } = record;
    const isNewTest = delivery.spec.event.type === 'test' && status.attempts === undefined;
    if (isNewTest || askedOf(record) !== undefined) queues?.addFirst(endpointOf(delivery), key);
    else queues?.add(endpointOf(delivery), key);
  }

  function beginRoundIfAsked(record: DeliveryRecord): void {
    const asked = askedOf(record);
    if (asked === undefined) return;
    record.status = newRound(record.status, asked, now());
    outcomes.changed(record);
  }

  /** Its endpoint was mended. Written, lest the next leader waits for the time that was to be. */
  function hasten(record: DeliveryRecord): void {
    const status = afterMending(record.status, now() + deps.random() * MENDED_SPREAD_MS);
    if (isDeepStrictEqual(status, record.status)) return;
    record.status = status;
    outcomes.changed(record);
    const { delivery } = record;
    queues?.add(endpointOf(delivery), keyOf(delivery), Math.max(0, dueInMs(record)));
  }

  function concurrencyOf(endpoint: string): number {
    const [namespace = '', name = ''] = endpoint.split('/', 2);
    return deps.webhook(namespace, name)?.spec.concurrency ?? 1;
  }

  return {
    name: 'deliverer',
    start(signal) {
      const started = createEndpointQueues(
        {
          process: (_endpoint, key, own) => process(key, own),
          concurrencyOf,
          clock: systemClock,
          logger,
          random: deps.random,
        },
        options.breaker,
      );
      queues = started;
      signal.addEventListener('abort', () => void started.stop(), { once: true });
      for (const [key, record] of records) enqueue(key, record);
      return Promise.resolve();
    },
    async stop() {
      const stopped = queues;
      queues = undefined;
      await stopped?.stop(STOP_GRACE_MS);
      await outcomes.flush(FLUSH_MS);
      // Nothing that must be: it is not waited for without end.
      const flushed = new AbortController();
      void deps.endpoints.flush().finally(() => flushed.abort());
      await pause(systemClock, FLUSH_MS, flushed.signal);
    },
    ready: () => queues !== undefined,
    offer(delivery) {
      const key = keyOf(delivery);
      const known = records.get(key);
      if (known?.delivery.metadata.uid === delivery.metadata.uid) {
        const asked = delivery.metadata.annotations?.[ANNOTATION_REDELIVER];
        if (asked === known.delivery.metadata.annotations?.[ANNOTATION_REDELIVER]) return;
        // Our own status is never older than the watch's; what a person asks for is new.
        known.delivery = delivery;
        enqueue(key, known);
        return;
      }
      // Led before, this process may know what the API server does not have yet.
      const record = outcomes.unwritten(delivery) ?? recordOf(delivery);
      record.delivery = delivery;
      records.set(key, record);
      enqueue(key, record);
    },
    forget(namespace, name) {
      const key = `${namespace}/${name}`;
      const record = records.get(key);
      if (record === undefined) return;
      records.delete(key);
      queues?.remove(endpointOf(record.delivery), key);
    },
    webhookChanged(before, after) {
      if (before === undefined) return;
      const { namespace, name, uid } = before.metadata;
      const isGone = after?.metadata.uid !== uid;
      // Its concurrency is asked for at each turn.
      if (!isGone && !isMended(before, after)) return;
      const endpoint = `${namespace}/${name}`;
      queues?.reset(endpoint);
      for (const [key, record] of records) {
        if (endpointOf(record.delivery) !== endpoint || !isPending(record)) continue;
        if (isGone) queues?.add(endpoint, key);
        else hasten(record);
      }
    },
    namespaceChanged(name) {
      if (!deps.isOptedIn(name)) return;
      for (const [key, record] of records) {
        if (record.delivery.metadata.namespace === name) enqueue(key, record);
      }
    },
    pending: () => records.size,
  };
}

/** Healthy: it answers, and not with an error of its own or "too many". */
function healthOf(outcome: AttemptResult): EndpointHealth {
  if (outcome.kind === 'unsigned') return 'neutral';
  const { result } = outcome;
  return result.kind === 'answered' && result.status < 500 && result.status !== 429 ? 'healthy' : 'failing';
}
