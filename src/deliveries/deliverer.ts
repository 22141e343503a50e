import {
  createWorkQueue,
  isNotFound,
  pause,
  systemClock,
  type KubeClient,
  type ProcessResult,
} from '../kube/index.ts';
import {
  ANNOTATION_REDELIVER,
  WEBHOOK_DELIVERIES,
  whyDisabled,
  type DeliveryStatus,
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
  withoutAttempt,
  type AttemptResult,
  type RetryOptions,
} from './after-attempt.ts';
import { attempt, type AttemptDeps, type AttemptOptions } from './attempt.ts';
import type { DelivererEvents } from './deliverer-events.ts';
import type { DelivererMetrics } from './deliverer-metrics.ts';
import type { EndpointStatus } from './endpoint-status.ts';
import type { SigningKeys } from './signing-keys.ts';
import { statusPatch } from './status-patch.ts';

export interface DelivererDeps {
  readonly caller: OutboundCaller;
  readonly client: Pick<KubeClient, 'patch'>;
  readonly keys: SigningKeys;
  /** From the watch cache. */
  readonly webhook: (namespace: string, name: string) => Webhook | undefined;
  readonly endpoints: EndpointStatus;
  readonly events: DelivererEvents;
  readonly metrics: DelivererMetrics;
  readonly logger: Logger;
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Deliveries are being stored that wait for the API server: they go before outcomes. */
  readonly isBusy: () => boolean;
}

export interface DelivererOptions extends RetryOptions, AttemptOptions {
  readonly breaker: BreakerOptions;
}

/** Brings deliveries to their endpoints. To be run by the leader alone: the Lease is the claim on all deliveries. */
export interface Deliverer {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  /** Begins nothing more; aborts what is under way: it stays Pending and is sent again by the next leader. */
  stop(): Promise<void>;
  ready(): boolean;
  /** Takes a delivery that is Pending, or asked for again. The same one again changes nothing. */
  offer(delivery: WebhookDelivery): void;
  /** It is gone, or the watch shows its end. */
  forget(namespace: string, name: string): void;
  /** A Webhook has changed, come or gone: what waits for it looks again. */
  webhookChanged(namespace: string, name: string): void;
  pending(): number;
}

interface Entry {
  delivery: WebhookDelivery;
  /** The newest status, which the API server may not have yet. */
  status: DeliveryStatus;
  /** What the API server has, as far as this process knows. */
  written: DeliveryStatus;
  /** Turns in a row that the API server has spoilt. */
  troubles: number;
  /** When the oldest outcome came that is not written. */
  unwrittenSince: number;
}

/** Who stops in good order lets the calls under way end, so that none is repeated for it. */
const STOP_GRACE_MS = 3_000;
/** The API server is away. */
const TROUBLE_BACKOFF = { baseMs: 200, capMs: 5_000 };
/** Outcomes that are written at the same time. */
const WRITERS = 16;
const WRITE_RETRY = { backoffBaseMs: 100, backoffMaxMs: 5_000 };
/** Who stops in good order lets what has been sent be written, so that it is not sent again. */
const FLUSH_MS = 3_000;
const FLUSH_POLL_MS = 20;
/** Outcomes give way to new deliveries, which somebody waits for, but not for long: what is not written is sent again after a crash. */
const GIVE_WAY = { pollMs: 100, maxMs: 3_000 };
/** Says nothing of the endpoint. */
const DONE: Processed = { health: 'neutral' };

export function createDeliverer(deps: DelivererDeps, options: DelivererOptions): Deliverer {
  const { logger, now } = deps;
  const entries = new Map<string, Entry>();
  let queues: EndpointQueues | undefined;
  const attemptDeps: AttemptDeps = { caller: deps.caller, keys: deps.keys, now };
  // Beside the places of the endpoints: an API server that is slow must not make receivers look slow.
  const outcomes = createWorkQueue<string>({
    name: 'delivery-outcomes',
    process: writeOutcome,
    workers: WRITERS,
    logger,
    stopDeadlineMs: FLUSH_MS,
    ...WRITE_RETRY,
  });

  async function process(key: string, signal: AbortSignal): Promise<Processed> {
    const entry = entries.get(key);
    if (entry === undefined) return DONE;
    try {
      const processed = await processEntry(entry, signal);
      entry.troubles = 0;
      return processed;
    } catch (error) {
      // The next leader, or the next start, takes up what was interrupted.
      return signal.aborted ? DONE : afterTrouble(entry, error);
    }
  }

  async function processEntry(entry: Entry, signal: AbortSignal): Promise<Processed> {
    beginRoundIfAsked(entry);
    if (!isPending(entry)) return DONE;
    const waitMs = dueInMs(entry);
    if (waitMs > 0) return { health: 'neutral', againInMs: waitMs };
    const { namespace } = entry.delivery.metadata;
    const { webhook: target } = entry.delivery.spec;
    const webhook = deps.webhook(namespace, target.name);
    if (webhook?.metadata.uid !== target.uid) {
      return end(entry, { phase: 'Cancelled', reason: 'WebhookDeleted' });
    }
    if (whyDisabled(webhook) !== undefined)
      return end(entry, { phase: 'DeadLetter', reason: 'EndpointDisabled' }, webhook);
    return tryOnce(entry, webhook, signal);
  }

  async function tryOnce(entry: Entry, webhook: Webhook, signal: AbortSignal): Promise<Processed> {
    const startedAt = now();
    const outcome = await attempt(entry.delivery, webhook, attemptDeps, options, signal);
    if (signal.aborted) return DONE; // this attempt does not count
    const { delivery } = entry;
    const facts = { startedAt, now: now(), random: deps.random() };
    const known = { metadata: delivery.metadata, status: entry.status };
    entry.status = afterAttempt(known, webhook.spec, outcome, facts, options);
    tell(entry, webhook, outcome, facts.now - startedAt);
    hasOutcome(entry);
    const health = healthOf(outcome);
    return isPending(entry) ? { health, againInMs: Math.max(1, dueInMs(entry)) } : { health };
  }

  /** The API server could not be asked for the key. */
  function afterTrouble(entry: Entry, error: unknown): Processed {
    entry.troubles += 1;
    const againInMs = 100 + backoffMs(entry.troubles, TROUBLE_BACKOFF, deps.random());
    const { namespace, name } = entry.delivery.metadata;
    logger.warn('a delivery waits for the API server', {
      namespace,
      delivery: name,
      againInMs,
      error: error instanceof Error ? error.message : String(error),
    });
    return { health: 'neutral', againInMs };
  }

  function tell({ delivery, status }: Entry, webhook: Webhook, outcome: AttemptResult, tookMs: number): void {
    const { namespace, name } = delivery.metadata;
    const phase = status.phase ?? 'Pending';
    const last = status.log?.at(-1);
    const why = last?.error ?? (last?.status === undefined ? 'no answer' : `HTTP ${last.status}`);
    deps.metrics.attempted(outcome, tookMs / 1_000);
    const fields = {
      namespace,
      delivery: name,
      webhook: webhook.metadata.name,
      attempt: status.attempts,
      status: last?.status,
    };
    if (phase === 'Delivered') {
      deps.endpoints.succeeded(webhook, now());
      logger.debug('delivered', fields);
    } else {
      if (outcome.kind === 'called' && outcome.verdict === 'disable') deps.endpoints.gone(webhook, now());
      else deps.endpoints.failed(webhook, why, now());
      logger.info('an attempt failed', { ...fields, error: last?.error, phase, next: status.nextAttemptAt });
    }
    ended(delivery, status, webhook);
  }

  function ended(delivery: WebhookDelivery, status: DeliveryStatus, webhook: Webhook | undefined): void {
    if (status.phase === undefined || status.phase === 'Pending') return;
    const { type, time } = delivery.spec.event;
    deps.metrics.ended(status.phase, status.reason ?? 'none', type, (now() - Date.parse(time)) / 1_000);
    deps.events.ended(delivery, status, webhook);
  }

  function end(
    entry: Entry,
    how: { readonly phase: 'DeadLetter' | 'Cancelled'; readonly reason: string },
    webhook?: Webhook,
  ): Processed {
    entry.status = withoutAttempt(entry.status, how, now());
    const { namespace, name } = entry.delivery.metadata;
    logger.info('a delivery ends without being sent', { namespace, delivery: name, ...how });
    ended(entry.delivery, entry.status, webhook);
    hasOutcome(entry);
    return DONE;
  }

  function hasOutcome(entry: Entry): void {
    if (entry.unwrittenSince === 0) entry.unwrittenSince = performance.now();
    outcomes.add(keyOf(entry.delivery));
  }

  /** Throws when the API server cannot be reached: the queue then comes back. The call is not repeated for it. */
  async function writeOutcome(key: string): Promise<ProcessResult> {
    const entry = entries.get(key);
    if (entry === undefined || entry.status === entry.written) return {};
    const waited = performance.now() - entry.unwrittenSince;
    if (queues !== undefined && waited < GIVE_WAY.maxMs && deps.isBusy())
      return { requeueAfterMs: GIVE_WAY.pollMs };
    const { namespace, name, uid } = entry.delivery.metadata;
    const { status } = entry;
    const body = { metadata: { uid }, status: statusPatch(entry.written, status) };
    try {
      const ref = { resource: WEBHOOK_DELIVERIES, namespace, name, subresource: 'status' } as const;
      await deps.client.patch(ref, { type: 'merge', body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      entries.delete(key);
    }
    entry.written = status;
    entry.unwrittenSince = 0;
    return {};
  }

  function hasUnwritten(): boolean {
    return [...entries.values()].some(({ status, written }) => status !== written);
  }

  function dueInMs({ status }: Entry): number {
    return status.nextAttemptAt === undefined ? 0 : Date.parse(status.nextAttemptAt) - now();
  }

  function beginRoundIfAsked(entry: Entry): void {
    const asked = entry.delivery.metadata.annotations?.[ANNOTATION_REDELIVER]?.slice(0, 64);
    if (asked === undefined || asked === entry.status.redelivered) return;
    entry.status = newRound(entry.status, asked, now());
    hasOutcome(entry);
  }

  function endpointOf({ metadata, spec }: WebhookDelivery): string {
    return `${metadata.namespace}/${spec.webhook.name}`;
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
      for (const [key, { delivery }] of entries) started.add(endpointOf(delivery), key);
      return outcomes.start(signal);
    },
    async stop() {
      const stopped = queues;
      queues = undefined;
      await stopped?.stop(STOP_GRACE_MS);
      const deadline = performance.now() + FLUSH_MS;
      const never = new AbortController().signal;
      while (outcomes.ready() && hasUnwritten() && performance.now() < deadline) {
        await pause(systemClock, FLUSH_POLL_MS, never);
      }
      await outcomes.stop();
      await deps.endpoints.flush();
    },
    ready: () => queues !== undefined,
    offer(delivery) {
      const { namespace, name, uid } = delivery.metadata;
      const key = `${namespace}/${name}`;
      const known = entries.get(key);
      if (known?.delivery.metadata.uid === uid) {
        const asked = delivery.metadata.annotations?.[ANNOTATION_REDELIVER];
        if (asked === known.delivery.metadata.annotations?.[ANNOTATION_REDELIVER]) return;
        // Our own status is never older than the watch's; what a person asks for is new.
        known.delivery = delivery;
      } else {
        const status = delivery.status ?? {};
        entries.set(key, { delivery, status, written: status, troubles: 0, unwrittenSince: 0 });
      }
      queues?.add(endpointOf(delivery), key);
    },
    forget(namespace, name) {
      const key = `${namespace}/${name}`;
      const entry = entries.get(key);
      if (entry === undefined) return;
      entries.delete(key);
      queues?.remove(endpointOf(entry.delivery), key);
    },
    webhookChanged(namespace, name) {
      // Its concurrency is asked for at each turn. Of one that is gone, nothing has to wait for a breaker any more.
      if (deps.webhook(namespace, name) === undefined) queues?.reset(`${namespace}/${name}`);
    },
    pending: () => entries.size,
  };
}

function keyOf({ metadata }: WebhookDelivery): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function isPending({ status }: Entry): boolean {
  return status.phase === undefined || status.phase === 'Pending';
}

/** Healthy: it answers, and not with an error of its own or "too many". */
function healthOf(outcome: AttemptResult): EndpointHealth {
  if (outcome.kind === 'unsigned') return 'neutral';
  const { result } = outcome;
  return result.kind === 'answered' && result.status < 500 && result.status !== 429 ? 'healthy' : 'failing';
}
