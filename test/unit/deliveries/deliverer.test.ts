import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ANNOTATION_REDELIVER,
  redeliveryAsked,
  type DeliveryStatus,
  type Webhook,
  type WebhookDelivery,
} from '../../../src/jobs/index.ts';
import { answered, failed, webhookOf } from './delivery-fixtures.ts';
import { fresh, startWorld, stopWorld, tooMany, until } from './deliverer-world.ts';

afterEach(stopWorld);

const askAgain = (delivery: WebhookDelivery): WebhookDelivery => ({
  ...delivery,
  metadata: { ...delivery.metadata, annotations: { [ANNOTATION_REDELIVER]: '1' } },
});
const asTest = (delivery: WebhookDelivery): WebhookDelivery => ({
  ...delivery,
  spec: { ...delivery.spec, event: { ...delivery.spec.event, type: 'test' } },
});

describe('createDeliverer', () => {
  it('sends once what is offered many times, and writes what came of it', async () => {
    const world = await startWorld();
    for (let n = 0; n < 3; n += 1) world.deliverer.offer(fresh());
    await until('the write', () => world.patches.length === 1);
    world.deliverer.offer(fresh());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.calls).toHaveLength(1);
    expect(world.patches[0]?.status).toMatchObject({ phase: 'Delivered' });
  });

  it('an outcome that cannot be written is written later; the call is not repeated', async () => {
    const world = await startWorld();
    world.away = true;
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    world.away = false;
    await until('the write', () => world.patches.length === 1);
    expect(world.calls).toHaveLength(1);
  });

  it('tries again until it is taken, the time of the next attempt in the status first', async () => {
    const world = await startWorld();
    let left = 2;
    world.answer = () => (left-- > 0 ? failed('connect') : answered(200));
    world.deliverer.offer(fresh());
    await until('delivered', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.patches.map(({ status }) => status.phase)).toEqual(['Pending', 'Pending', 'Delivered']);
    expect(world.patches[0]?.status.nextAttemptAt).toEqual(expect.any(String));
    expect(world.patches[2]?.status.nextAttemptAt).toBeNull();
  });

  it('does not send before its time', async () => {
    const world = await startWorld();
    const nextAttemptAt = new Date(Date.now() + 150).toISOString();
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', nextAttemptAt } });
    await until('the call', () => world.calls.length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(nextAttemptAt));
  });

  it('calls as the tenant that it is for: short names are theirs, and so is the share of the places', async () => {
    const world = await startWorld();
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    expect(world.calls[0]).toMatchObject({ namespace: 'shop', group: 'shop' });
  });

  it.each([
    [{ inCluster: true } as const, 'Pending'],
    [{}, 'DeadLetter'],
  ])('404 of a Service, however it is called, is a matter of time: %j', async (more, phase) => {
    const world = await startWorld();
    world.answer = () => answered(404, more);
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', refusals: 2 } });
    await until('the write', () => world.patches.length > 0);
    expect(world.patches[0]?.status.phase).toBe(phase);
  });

  it('of a dead endpoint only probes are sent', async () => {
    const world = await startWorld();
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
    const world = await startWorld();
    world.webhook = webhookOf({ concurrency: 1 });
    world.answer = () => (world.calls.length === 1 ? tooMany(status) : answered(200));
    for (const name of ['jd-1', 'jd-2', 'jd-3']) world.deliverer.offer(fresh({ name }));
    await until('all of them', () => world.calls.length === 4);
    const [first = 0, second = 0] = world.calledAt;
    expect(second - first).toBeGreaterThan(900);
  });

  it('who asks for a redelivery does not wait for the end of a pause', async () => {
    const world = await startWorld({ retryAfterCeilingMs: 3_600_000 });
    world.answer = () => (world.calls.length === 1 ? tooMany(429, '3600') : answered(200));
    world.deliverer.offer(fresh());
    await until('the first call', () => world.calls.length === 1);
    world.deliverer.offer(fresh({ annotations: { [ANNOTATION_REDELIVER]: 'now' } }));
    await until('the second', () => world.calls.length === 2);
  });

  it.each<[string, (delivery: WebhookDelivery) => WebhookDelivery]>([
    ['a redelivery', (delivery) => askAgain(delivery)],
    ['a test', asTest],
  ])('%s that a person asks for does not wait for a breaker that is open', async (_what, ask) => {
    const world = await startWorld({ breakerOpenMs: 3_600_000 });
    world.answer = () => failed('connect');
    for (const name of ['jd-1', 'jd-2', 'jd-3', 'jd-4']) world.deliverer.offer(fresh({ name, uid: name }));
    await until('it to be open', () => world.calls.length >= 3);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = world.calls.length;
    world.answer = () => answered(200);
    const metadata = { name: 'jd-5', uid: 'jd-5' };
    world.deliverer.offer(ask(fresh(metadata)));
    await until('the call', () => world.calls.length > before);
    expect(world.calls[before]?.headers?.['webhook-id']).toBe('jd-5');
    await until('the others after it', () => world.calls.length === before + 5);
  });

  it('a person’s request for a redelivery is a new round under the same id', async () => {
    const world = await startWorld();
    const done = {
      ...fresh(),
      status: { phase: 'Delivered' as const, attempts: 1, finishedAt: 'x', deliveredAt: 'x' },
    };
    const asked = askAgain(done);
    world.deliverer.offer(asked);
    await until('delivered again', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.patches[0]?.status).toMatchObject({ phase: 'Pending', redelivered: '1', finishedAt: null });
    expect(world.calls.map(({ headers }) => headers?.['webhook-id'])).toEqual(['jd-1']);
    world.deliverer.offer(asked);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.calls).toHaveLength(1);
  });

  it('what waits for an endpoint is tried soon after that was mended, and the time of it is written', async () => {
    const world = await startWorld();
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
    const world = await startWorld({ retryAfterCeilingMs: 3_600_000 });
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
    const world = await startWorld();
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
    const world = await startWorld();
    world.webhook = webhook;
    world.deliverer.offer(fresh());
    await until('the end', () => world.patches.length === 1);
    expect(world.patches[0]?.status).toMatchObject(status);
    expect(world.calls).toHaveLength(0);
  });

  it.each<[string, Webhook | undefined]>([
    ['is deleted', undefined],
    ['has made way for a namesake', webhookOf({}, { uid: 'other' })],
  ])('what waits for a Webhook that %s ends at once, also for the next leader', async (_name, after) => {
    const world = await startWorld();
    const nextAttemptAt = new Date(Date.now() + 3_600_000).toISOString();
    const waiting = { phase: 'Pending' as const, attempts: 1, nextAttemptAt };
    world.deliverer.offer({ ...fresh(), status: waiting });
    await new Promise((resolve) => setTimeout(resolve, 30));
    world.webhook = after;
    world.deliverer.webhookChanged(webhookOf(), after);
    world.deliverer.offer({ ...fresh({ name: 'jd-2', uid: 'd-2' }), status: waiting });
    await until('both ends', () => world.patches.length === 2);
    const cancelled = { phase: 'Cancelled', reason: 'WebhookDeleted' };
    expect(world.patches.map(({ status }) => status)).toMatchObject([cancelled, cancelled]);
    expect(world.calls).toHaveLength(0);
  });

  it('what is not due does not end, and is not sent, because the watch has not brought its Webhook', async () => {
    const world = await startWorld();
    world.seen = { webhook: undefined };
    const nextAttemptAt = new Date(Date.now() + 150).toISOString();
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', nextAttemptAt } });
    await until('the call', () => world.calls.length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(nextAttemptAt));
  });

  it.each<[string, Webhook | undefined]>([
    ['has not brought', undefined],
    ['still shows a namesake of', webhookOf({}, { uid: 'other' })],
    ['still shows as disabled', webhookOf({ disabled: true })],
  ])('a Webhook that the watch %s gets its delivery', async (_name, webhook) => {
    const world = await startWorld();
    world.seen = { webhook };
    world.deliverer.offer(fresh());
    await until('delivered', () => world.patches.at(-1)?.status.phase === 'Delivered');
    expect(world.calls).toHaveLength(1);
  });

  it('in a namespace that is not opted in nothing is sent, begun anew or ended; opted in again it is', async () => {
    const world = await startWorld();
    const nextAttemptAt = new Date(Date.now() + 500).toISOString();
    world.deliverer.offer({ ...fresh(), status: { phase: 'Pending', nextAttemptAt } });
    world.served = false;
    world.deliverer.namespaceChanged('shop');
    const metadata = { name: 'jd-2', uid: 'd-2', annotations: { [ANNOTATION_REDELIVER]: '1' } };
    world.deliverer.offer({ ...fresh(metadata), status: { phase: 'DeadLetter' } });
    world.webhook = undefined;
    await new Promise((resolve) => setTimeout(resolve, 800));
    world.deliverer.namespaceChanged('shop');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([world.calls.length, world.patches.length]).toEqual([0, 0]);
    world.webhook = webhookOf();
    world.served = true;
    world.deliverer.namespaceChanged('other');
    expect(world.calls).toHaveLength(0);
    world.deliverer.namespaceChanged('shop');
    await until('both', () => world.calls.length === 2);
  });

  it('nothing is cancelled while the API server cannot be asked', async () => {
    const world = await startWorld();
    world.seen = { webhook: undefined };
    world.away = true;
    world.deliverer.offer(fresh());
    await new Promise((resolve) => setTimeout(resolve, 50));
    world.away = false;
    await until('delivered', () => world.patches.length > 0);
    expect(world.patches.map(({ status }) => status.phase)).toEqual(['Delivered']);
  });

  it('one that hangs takes its own places only; stopping ends the call without counting it', async () => {
    const world = await startWorld();
    world.answer = (call) =>
      new Promise((resolve) => call.signal?.addEventListener('abort', () => resolve(failed('aborted'))));
    world.deliverer.offer(fresh());
    await until('the call', () => world.calls.length === 1);
    await stopWorld();
    expect(world.patches).toEqual([]);
  });
});
