import { afterEach, describe, expect, it } from '@jest/globals';
import {
  createDeliverer,
  createEndpointStatus,
  createOutcomeWriter,
  type Deliverer,
} from '../../../src/deliveries/index.ts';
import {
  ANNOTATION_REDELIVER,
  redeliveryAsked,
  type DeliveryStatus,
  type Webhook,
} from '../../../src/jobs/index.ts';
import { KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';
import type { CallResult, OutboundCall } from '../../../src/outbound/index.ts';
import { waitFor } from '../../cluster/wait-for.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';
import { answered, deliveryOf, failed, webhookOf } from './delivery-fixtures.ts';

interface World {
  readonly deliverer: Deliverer;
  readonly calls: OutboundCall[];
  /** When each of them came. */
  readonly calledAt: number[];
  readonly patches: { readonly name: string; readonly status: Record<string, unknown> }[];
  answer: (call: OutboundCall) => CallResult | Promise<CallResult>;
  /** The API server takes no writes. */
  away: boolean;
  /** As the API server has it. */
  webhook: Webhook | undefined;
  /** As the watch has brought it, if that is something else. */
  seen?: { readonly webhook: Webhook | undefined };
}

let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  stop = undefined;
});

async function start(retryAfterCeilingMs = 1_000): Promise<World> {
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
        breaker: { failures: 3, openMs: 50, maxOpenMs: 100 },
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

const fresh = (more: object = {}) =>
  deliveryOf(undefined, { creationTimestamp: new Date().toISOString(), ...more });
const tooMany = (status: number, retryAfter = '1') =>
  answered(status, { headers: { 'retry-after': retryAfter } });
const until = (what: string, check: () => boolean) =>
  waitFor(what, () => (check() ? true : undefined), { intervalMs: 5, timeoutMs: 20_000 });

describe('createDeliverer', () => {
  it('sends once what is offered many times, and writes what came of it', async () => {
    const world = await start();
    for (let n = 0; n < 3; n += 1) world.deliverer.offer(fresh());
    await until('the write', () => world.patches.length === 1);
    world.deliverer.offer(fresh());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.calls).toHaveLength(1);
    expect(world.patches[0]?.status).toMatchObject({ phase: 'Delivered' });
  });

  it('an outcome that cannot be written is written later; the call is not repeated', async () => {
    const world = await start();
    world.away = true;
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    world.away = false;
    await until('the write', () => world.patches.length === 1);
    expect(world.calls).toHaveLength(1);
  });

  it('tries again until it is taken, the time of the next attempt in the status first', async () => {
    const world = await start();
    let left = 2;
    world.answer = () => (left-- > 0 ? failed('connect') : answered(200));
    world.deliverer.offer(fresh());
    await until('delivered', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.patches.map(({ status }) => status.phase)).toEqual(['Pending', 'Pending', 'Delivered']);
    expect(world.patches[0]?.status.nextAttemptAt).toEqual(expect.any(String));
    expect(world.patches[2]?.status.nextAttemptAt).toBeNull();
  });

  it('does not send before its time', async () => {
    const world = await start();
    const nextAttemptAt = new Date(Date.now() + 150).toISOString();
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', nextAttemptAt } });
    await until('the call', () => world.calls.length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(nextAttemptAt));
  });

  it('calls as the tenant that it is for: short names are theirs, and so is the share of the places', async () => {
    const world = await start();
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    expect(world.calls[0]).toMatchObject({ namespace: 'shop', group: 'shop' });
  });

  it.each([
    [{ inCluster: true } as const, 'Pending'],
    [{}, 'DeadLetter'],
  ])('404 of a Service, however it is called, is a matter of time: %j', async (more, phase) => {
    const world = await start();
    world.answer = () => answered(404, more);
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', refusals: 2 } });
    await until('the write', () => world.patches.length > 0);
    expect(world.patches[0]?.status.phase).toBe(phase);
  });

  it('of a dead endpoint only probes are sent', async () => {
    const world = await start();
    world.answer = () => failed('connect');
    for (let n = 0; n < 50; n += 1) {
      const delivery = fresh();
      world.deliverer.offer({
        ...delivery,
        metadata: { ...delivery.metadata, name: `jd-${n}`, uid: `u-${n}` },
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Eight at once until it opens; then one in 50 and then 100 ms.
    expect(world.calls.length).toBeLessThan(25);
  });

  it.each([429, 503])('%i with Retry-After: the endpoint’s other deliveries wait as well', async (status) => {
    const world = await start();
    world.webhook = webhookOf({ concurrency: 1 });
    world.answer = () => (world.calls.length === 1 ? tooMany(status) : answered(200));
    for (const name of ['jd-1', 'jd-2', 'jd-3']) world.deliverer.offer(fresh({ name }));
    await until('all of them', () => world.calls.length === 4);
    const [first = 0, second = 0] = world.calledAt;
    expect(second - first).toBeGreaterThan(900);
  });

  it('who asks for a redelivery does not wait for the end of a pause', async () => {
    const world = await start(3_600_000);
    world.answer = () => (world.calls.length === 1 ? tooMany(429, '3600') : answered(200));
    world.deliverer.offer(fresh());
    await until('the first call', () => world.calls.length === 1);
    world.deliverer.offer(fresh({ annotations: { [ANNOTATION_REDELIVER]: 'now' } }));
    await until('the second', () => world.calls.length === 2);
  });

  it('a person’s request for a redelivery is a new round under the same id', async () => {
    const world = await start();
    const done = {
      ...fresh(),
      status: { phase: 'Delivered' as const, attempts: 1, finishedAt: 'x', deliveredAt: 'x' },
    };
    const asked = { ...done, metadata: { ...done.metadata, annotations: { [ANNOTATION_REDELIVER]: '1' } } };
    world.deliverer.offer(asked);
    await until('delivered again', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.patches[0]?.status).toMatchObject({ phase: 'Pending', redelivered: '1', finishedAt: null });
    expect(world.calls.map(({ headers }) => headers?.['webhook-id'])).toEqual(['jd-1']);
    world.deliverer.offer(asked);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.calls).toHaveLength(1);
  });

  it('what waits for an endpoint is tried soon after that was mended, and the time of it is written', async () => {
    const world = await start();
    const broken = webhookOf({ url: 'http://wrong/x' });
    world.webhook = broken;
    const nextAttemptAt = new Date(Date.now() + 3_600_000).toISOString();
    for (const name of ['jd-1', 'jd-2'])
      world.deliverer.offer({
        ...fresh({ name }),
        status: { phase: 'Pending', attempts: 4, refusals: 4, nextAttemptAt },
      });
    world.webhook = webhookOf({ description: 'merely described' });
    world.deliverer.webhookChanged(webhookOf(), world.webhook);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(world.calls).toHaveLength(0);
    world.deliverer.webhookChanged(broken, world.webhook);
    await until(
      'both',
      () => world.patches.filter(({ status }) => status.phase === 'Delivered').length === 2,
    );
    expect(world.calls.map(({ url }) => url)).toEqual(['http://receiver/x', 'http://receiver/x']);
  });

  it('a call that fails while its endpoint is being mended is made again soon', async () => {
    // Not after the hour that the first answer asks for.
    const world = await start(3_600_000);
    const broken = webhookOf({ url: 'http://wrong/x' });
    world.webhook = broken;
    world.answer = ({ url }) => {
      if (url !== broken.spec.url) return answered(200);
      world.webhook = webhookOf();
      world.deliverer.webhookChanged(broken, world.webhook);
      return tooMany(500, '3600');
    };
    world.deliverer.offer(fresh());
    await until('delivered', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.calls).toHaveLength(2);
  });

  it('what it writes of a request that is too long is what the watch cache takes for seen', async () => {
    const world = await start();
    const asked = fresh({ annotations: { [ANNOTATION_REDELIVER]: 'x'.repeat(100) } });
    world.deliverer.offer({ ...asked, status: { phase: 'Delivered', attempts: 1 } });
    await until('delivered again', () => world.patches.at(-1)?.status.phase === 'Delivered');
    const status = world.patches.at(-1)?.status as DeliveryStatus;
    expect(redeliveryAsked({ ...asked, status })).toBeUndefined();
  });

  it.each<[string, Webhook | undefined, object]>([
    ['deleted', undefined, { phase: 'Cancelled', reason: 'WebhookDeleted' }],
    [
      'another of the same name',
      webhookOf({}, { uid: 'other' }),
      { phase: 'Cancelled', reason: 'WebhookDeleted' },
    ],
    ['disabled', webhookOf({ disabled: true }), { phase: 'DeadLetter', reason: 'EndpointDisabled' }],
  ])('a Webhook that is %s gets nothing', async (_name, webhook, status) => {
    const world = await start();
    world.webhook = webhook;
    world.deliverer.offer(fresh());
    await until('the end', () => world.patches.length === 1);
    expect(world.patches[0]?.status).toMatchObject(status);
    expect(world.calls).toHaveLength(0);
  });

  it.each<[string, Webhook | undefined]>([
    ['has not brought', undefined],
    ['still shows a namesake of', webhookOf({}, { uid: 'other' })],
    ['still shows as disabled', webhookOf({ disabled: true })],
  ])('a Webhook that the watch %s gets its delivery', async (_name, webhook) => {
    const world = await start();
    world.seen = { webhook };
    world.deliverer.offer(fresh());
    await until('delivered', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.calls).toHaveLength(1);
  });

  it('nothing is cancelled while the API server cannot be asked', async () => {
    const world = await start();
    world.seen = { webhook: undefined };
    world.away = true;
    world.deliverer.offer(fresh());
    await new Promise((resolve) => setTimeout(resolve, 50));
    world.away = false;
    await until('delivered', () => world.patches.length > 0);
    expect(world.patches.map(({ status }) => status.phase)).toEqual(['Delivered']);
  });

  it('one that hangs takes its own places only; stopping ends the call without counting it', async () => {
    const world = await start();
    world.answer = (call) =>
      new Promise((resolve) => call.signal?.addEventListener('abort', () => resolve(failed('aborted'))));
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    await stop?.();
    stop = undefined;
    expect(world.patches).toEqual([]);
  });
});
