import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';

// Many Jobs at once. What is fast is measured by the benchmark (bench/job-webhooks.ts); here nothing is lost and nobody waits for somebody else.

jest.setTimeout(300_000);
const COUNT = 1_000;
let setting: JobsSetting;
const receivers: Receiver[] = [];
beforeAll(async () => {
  setting = await startJobsSetting();
}, 120_000);
afterAll(() => setting.stop());
afterEach(async () => {
  await setting.stopReplicas();
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
  await setting.clean();
});

async function receiver(): Promise<Receiver> {
  const started = await startReceiver();
  receivers.push(started);
  return started;
}

/** Runs for each of the names, this many at the same time. */
async function forEach(
  names: readonly string[],
  run: (name: string) => Promise<unknown>,
  parallel = 20,
): Promise<void> {
  const left = [...names];
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) await run(name);
    }),
  );
}

const namesOf = (prefix: string) => Array.from({ length: COUNT }, (_, n) => `${prefix}-${n}`);

describe('1,000 Jobs', () => {
  it('at once, three endpoints, one of them dead: the others have all of them, once, and do not wait', async () => {
    const [first, second, dead] = [await receiver(), await receiver(), await receiver()];
    await dead.down();
    for (const [name, { url }] of Object.entries({ first, second, dead }))
      await setting.createWebhook(name, { url });
    const replica = await setting.replica();
    const names = namesOf('burst');
    const annotations = { 'hooks.krake.dev/on-job-done': 'dead, first, second' };
    await forEach(names, (name) => setting.createJob(name, { annotations }));
    const startedAt = performance.now();
    await forEach(names, (name) => setting.finishJob(name));
    const finishedMs = performance.now() - startedAt;
    await eventually('all at both', () => first.ids().size === COUNT && second.ids().size === COUNT, 60_000);
    const deliveredMs = performance.now() - startedAt;
    console.log(
      `ending ${COUNT} Jobs took ${finishedMs.toFixed(0)} ms, all were delivered twice after ${deliveredMs.toFixed(0)} ms`,
    );
    // The ends alone take the API server long; what comes behind it must not be what is slow.
    expect(deliveredMs).toBeLessThan(finishedMs + 15_000);
    for (const { received } of [first, second]) expect(received).toHaveLength(COUNT);
    expect(replica.output()).not.toContain('unhandled');
    await dead.up();
    await eventually('all at the third', () => dead.ids().size === COUNT, 120_000);
  });

  it('with three kill -9: all of them come, each under one id', async () => {
    const target = await receiver();
    await setting.createWebhook('target', { url: target.url });
    const names = namesOf('killed');
    const annotations = { 'hooks.krake.dev/on-job-done': 'target' };
    await forEach(names, (name) => setting.createJob(name, { annotations }));
    let replica = await setting.replica();
    const third = Math.ceil(COUNT / 3);
    for (const part of [names.slice(0, third), names.slice(third, 2 * third), names.slice(2 * third)]) {
      const ending = forEach(part, (name) => setting.finishJob(name));
      const before = target.received.length;
      await eventually('some of them', () => target.received.length > before + 20, 60_000);
      await replica.kill();
      await ending;
      replica = await setting.replica();
    }
    await eventually('all', () => target.ids().size === COUNT, 120_000);
    const jobs = new Set(
      target.received.map(({ body }) => (JSON.parse(body) as { data: { uid: string } }).data.uid),
    );
    expect(jobs.size).toBe(COUNT);
    // Twice came only what a kill caught between call and write.
    expect(target.received.length).toBeLessThan(COUNT + 3 * 64);
    await eventually(
      'nothing pending',
      async () => {
        const deliveries = await setting.deliveries();
        return deliveries.length === COUNT && deliveries.every(({ status }) => status?.phase === 'Delivered');
      },
      120_000,
    );
  });
});
