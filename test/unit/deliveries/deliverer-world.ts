import {
  createDeliverer,
  createEndpointStatus,
  createOutcomeWriter,
  type Deliverer,
} from '../../../src/deliveries/index.ts';
import type { Webhook, WebhookDelivery } from '../../../src/jobs/index.ts';
import { KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';
import type { Answered, CallResult, OutboundCall } from '../../../src/outbound/index.ts';
import { waitFor } from '../../cluster/wait-for.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';
import { answered, deliveryOf, webhookOf } from './delivery-fixtures.ts';

/** A deliverer with a receiver and an API server that a test says the answers of. */
export interface World {
  readonly deliverer: Deliverer;
  readonly calls: OutboundCall[];
  /** When each of them came. */
  readonly calledAt: number[];
  readonly patches: { readonly name: string; readonly status: Record<string, unknown> }[];
  answer: (call: OutboundCall) => CallResult | Promise<CallResult>;
  /** The API server takes no writes. */
  away: boolean;
  /** The namespace is opted in. */
  served: boolean;
  /** As the API server has it. */
  webhook: Webhook | undefined;
  /** As the watch has brought it, if that is something else. */
  seen?: { readonly webhook: Webhook | undefined };
}

let stop: (() => Promise<void>) | undefined;
/** To be called after each test at the latest. */
export async function stopWorld(): Promise<void> {
  await stop?.();
  stop = undefined;
}

export async function startWorld({ retryAfterCeilingMs = 1_000, breakerOpenMs = 50 } = {}): Promise<World> {
  const calls: OutboundCall[] = [];
  const calledAt: number[] = [];
  const patches: World['patches'] = [];
  const client = {
    patch: (
      ref: { name: string; resource: { plural: string } },
      patch: { body: { status: Record<string, unknown> } },
    ) => {
      if (world.away) return Promise.reject(new KubeUnreachableError('away'));
      if (ref.resource.plural === 'webhookdeliveries')
        patches.push({ name: ref.name, status: patch.body.status });
      return Promise.resolve({ metadata: {} });
    },
  } as unknown as Pick<KubeClient, 'patch' | 'get'>;
  const logger = createRecordingLogger();
  const outcomes = createOutcomeWriter({ client, logger, isBusy: () => false });
  const world: World = {
    calls,
    calledAt,
    patches,
    answer: () => answered(200),
    away: false,
    served: true,
    webhook: webhookOf(),
    deliverer: createDeliverer(
      {
        caller: {
          call: async (call) => {
            calls.push(call);
            calledAt.push(performance.now());
            return world.answer(call);
          },
          close: () => Promise.resolve(),
        },
        outcomes,
        isOptedIn: () => world.served,
        keys: { keysFor: () => Promise.resolve({ kind: 'keys', keys: [] }) },
        webhook: () => (world.seen === undefined ? world.webhook : world.seen.webhook),
        readWebhook: () =>
          world.away ? Promise.reject(new KubeUnreachableError('away')) : Promise.resolve(world.webhook),
        endpoints: createEndpointStatus(
          { client, logger, onDisabled: () => undefined },
          { disableAfterMs: 1e9 },
        ),
        events: { ended: () => undefined, disabled: () => undefined },
        metrics: { attempted: () => undefined, ended: () => undefined },
        logger,
        now: Date.now,
        random: () => 0,
      },
      {
        retryBaseMs: 10,
        retryCapMs: 50,
        retryAfterCeilingMs,
        maxRefusals: 3,
        eventSource: '',
        connectTimeoutMs: 1_000,
        breaker: { failures: 3, openMs: breakerOpenMs, maxOpenMs: breakerOpenMs * 2 },
      },
    ),
  };
  const controller = new AbortController();
  await outcomes.start(controller.signal);
  await world.deliverer.start(controller.signal);
  stop = async () => {
    controller.abort();
    await world.deliverer.stop();
    await outcomes.stop();
  };
  return world;
}

export const fresh = (more: object = {}): WebhookDelivery =>
  deliveryOf(undefined, { creationTimestamp: new Date().toISOString(), ...more });
export const tooMany = (status: number, retryAfter = '1'): Answered =>
  answered(status, { headers: { 'retry-after': retryAfter } });
export const until = (what: string, check: () => boolean): Promise<true> =>
  waitFor(what, () => (check() ? true : undefined), { intervalMs: 5, timeoutMs: 20_000 });
