import { setMaxListeners } from 'node:events';
import { isNotFound, type KubeClient, type ProcessResult } from '../kube/index.ts';
import {
  ANNOTATION_REDELIVER,
  WEBHOOK_DELIVERIES,
  whyDisabled,
  type DeliveryStatus,
  type Webhook,
  type WebhookDelivery,
} from '../jobs/index.ts';
import type { Logger } from '../observability/index.ts';
import type { OutboundCaller } from '../outbound/index.ts';
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
import { createLane, type Lane, type LaneOptions } from './lane.ts';
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
}

export interface DelivererOptions extends RetryOptions, AttemptOptions {
  readonly breaker: Omit<LaneOptions, 'concurrency'>;
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
}

export function createDeliverer(deps: DelivererDeps, options: DelivererOptions): Deliverer {
  const { logger, now } = deps;
  const entries = new Map<string, Entry>();
  const lanes = new Map<string, Lane>();
  let running: AbortSignal | undefined;
  const attemptDeps: AttemptDeps = { caller: deps.caller, keys: deps.keys, now };

  async function process(key: string, signal: AbortSignal): Promise<ProcessResult> {
    const entry = entries.get(key);
    if (entry === undefined) return {};
    // An outcome that could not be written is written now; the call is not repeated for it.
    if (entry.status !== entry.written) await write(entry);
    beginRoundIfAsked(entry);
    if (entry.status !== entry.written) await write(entry);
    if (entry.status.phase !== undefined && entry.status.phase !== 'Pending') return {};
    const waitMs = dueInMs(entry);
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const { namespace } = entry.delivery.metadata;
    const { webhook: target } = entry.delivery.spec;
    const webhook = deps.webhook(namespace, target.name);
    if (webhook?.metadata.uid !== target.uid) {
      return end(entry, { phase: 'Cancelled', reason: 'WebhookDeleted' });
    }
    if (whyDisabled(webhook) !== undefined)
      return end(entry, { phase: 'DeadLetter', reason: 'EndpointDisabled' }, webhook);
    const { breaker } = laneOf(entry.delivery);
    const breakerMs = breaker.enter(now());
    if (breakerMs > 0) return { requeueAfterMs: breakerMs + Math.floor(deps.random() * 100) };
    return tryOnce(entry, webhook, breaker, signal);
  }

  async function tryOnce(
    entry: Entry,
    webhook: Webhook,
    breaker: Lane['breaker'],
    signal: AbortSignal,
  ): Promise<ProcessResult> {
    const startedAt = now();
    let outcome: AttemptResult | undefined;
    try {
      outcome = await attempt(entry.delivery, webhook, attemptDeps, options, signal);
    } finally {
      breaker.leave(outcome === undefined || isAlive(outcome), now());
    }
    if (signal.aborted) throw new Error('the deliverer stops: this attempt does not count');
    const { delivery } = entry;
    const facts = { startedAt, now: now(), random: deps.random() };
    const known = { metadata: delivery.metadata, status: entry.status };
    entry.status = afterAttempt(known, webhook.spec, outcome, facts, options);
    tell(entry, webhook, outcome, facts.now - startedAt);
    await write(entry);
    return waitFor(entry);
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

  async function end(
    entry: Entry,
    how: { readonly phase: 'DeadLetter' | 'Cancelled'; readonly reason: string },
    webhook?: Webhook,
  ): Promise<ProcessResult> {
    entry.status = withoutAttempt(entry.status, how, now());
    const { namespace, name } = entry.delivery.metadata;
    logger.info('a delivery ends without being sent', { namespace, delivery: name, ...how });
    ended(entry.delivery, entry.status, webhook);
    await write(entry);
    return {};
  }

  /** Throws when the API server cannot be reached: the queue then comes back, and only the write is repeated. */
  async function write(entry: Entry): Promise<void> {
    const { namespace, name, uid } = entry.delivery.metadata;
    const { status } = entry;
    const body = { metadata: { uid }, status: statusPatch(entry.written, status) };
    try {
      const ref = { resource: WEBHOOK_DELIVERIES, namespace, name, subresource: 'status' } as const;
      await deps.client.patch(ref, { type: 'merge', body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      entries.delete(`${namespace}/${name}`);
    }
    entry.written = status;
  }

  function waitFor(entry: Entry): ProcessResult {
    const pending = entry.status.phase === undefined || entry.status.phase === 'Pending';
    return pending ? { requeueAfterMs: Math.max(1, dueInMs(entry)) } : {};
  }

  function dueInMs({ status }: Entry): number {
    return status.nextAttemptAt === undefined ? 0 : Date.parse(status.nextAttemptAt) - now();
  }

  function beginRoundIfAsked(entry: Entry): void {
    const asked = entry.delivery.metadata.annotations?.[ANNOTATION_REDELIVER]?.slice(0, 64);
    if (asked === undefined || asked === entry.status.redelivered) return;
    entry.status = newRound(entry.status, asked, now());
  }

  function laneOf({ metadata, spec }: WebhookDelivery): Lane {
    const key = `${metadata.namespace}/${spec.webhook.name}`;
    const concurrency = deps.webhook(metadata.namespace, spec.webhook.name)?.spec.concurrency ?? 1;
    const known = lanes.get(key);
    if (known !== undefined) return known;
    const lane = createLane(key, { ...options.breaker, concurrency }, process, logger);
    lanes.set(key, lane);
    if (running !== undefined) void lane.queue.start(running);
    return lane;
  }

  function closeLane(key: string): void {
    void lanes.get(key)?.queue.stop();
    lanes.delete(key);
  }

  return {
    name: 'deliverer',
    async start(signal) {
      running = signal;
      // One listener for each endpoint.
      setMaxListeners(0, signal);
      await Promise.all([...lanes.values()].map((lane) => lane.queue.start(signal)));
    },
    async stop() {
      running = undefined;
      await Promise.all([...lanes.values()].map((lane) => lane.queue.stop()));
      await deps.endpoints.flush();
    },
    ready: () => running !== undefined && !running.aborted,
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
        entries.set(key, { delivery, status, written: status });
      }
      laneOf(delivery).queue.add(key);
    },
    forget(namespace, name) {
      entries.delete(`${namespace}/${name}`);
    },
    webhookChanged(namespace, name) {
      const laneKey = `${namespace}/${name}`;
      const lane = lanes.get(laneKey);
      const webhook = deps.webhook(namespace, name);
      if (lane === undefined || webhook?.spec.concurrency === lane.concurrency) return;
      closeLane(laneKey);
      for (const [key, { delivery }] of entries) {
        const same = delivery.metadata.namespace === namespace && delivery.spec.webhook.name === name;
        if (same) laneOf(delivery).queue.add(key);
      }
    },
    pending: () => entries.size,
  };
}

/** Alive: it answers, and not with an error of its own or "too many". */
function isAlive(outcome: AttemptResult): boolean {
  if (outcome.kind === 'unsigned') return true;
  const { result } = outcome;
  return result.kind === 'answered' && result.status < 500 && result.status !== 429;
}
