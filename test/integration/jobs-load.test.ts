import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';

// Many Jobs at once. What is fast is measured by the benchmark (bench/job-webhooks.ts); here nothing is lost and nobody waits for somebody else.

jest.setTimeout(600_000);
const COUNT = 1_000;
let setting: JobsSetting;
const receivers: Receiver[] = [];
beforeAll(async () => {
  setting = await startJobsSetting();
}, 600_000);
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

/** How long the API server takes, at this moment, to store as many objects as there will be deliveries. */
async function floor(name: string): Promise<number> {
  const configMaps = { apiVersion: 'v1', plural: 'configmaps' };
  const names = Array.from({ length: 3 * COUNT }, (_, n) => `${name}-${n}`);
  const startedAt = performance.now();
  await forEach(names, (name) =>
    setting.admin.create(configMaps, 'default', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }),
  );
  return performance.now() - startedAt;
}

const DEPLOYED_LEASE = { 'jobs.leaseDuration': '15s', 'jobs.renewDeadline': '10s', 'jobs.retryPeriod': '2s' };

const namesOf = (prefix: string) => Array.from({ length: COUNT }, (_, n) => `${prefix}-${n}`);

describe('1,000 Jobs', () => {
  it('at once, three endpoints, one of them dead: the others have all of them, once, and do not wait', async () => {
    const [first, second, dead] = [await receiver(), await receiver(), await receiver()];
    await dead.down();
    for (const [name, { url }] of Object.entries({ first, second, dead }))
      await setting.createWebhook(name, { url });
    // As deployed: a short lease is lost on a machine that is this busy, and who leads anew sends again what was not written.
    const replica = await setting.replica(DEPLOYED_LEASE);
    const names = namesOf('burst');
    const annotations = { 'hooks.krake.dev/on-job-done': 'dead, first, second' };
    await forEach(names, (name) => setting.createJob(name, { annotations }));
    const floorBefore = await floor('before');
    const startedAt = performance.now();
    await forEach(names, (name) => setting.finishJob(name));
    const finishedMs = performance.now() - startedAt;
    await eventually('all at both', () => first.ids().size === COUNT && second.ids().size === COUNT, 240_000);
    const deliveredMs = performance.now() - startedAt;
    // The machine may have become slower meanwhile.
    const floorMs = Math.max(floorBefore, await floor('after'));
    const took = { endingMs: finishedMs, floorMs, deliveredMs };
    console.log(
      `1,000 Jobs, 3 endpoints: ${JSON.stringify(took, (_key, value: unknown) => (typeof value === 'number' ? Math.round(value) : value))}`,
    );
    // 3,000 deliveries are stored and 2,000 outcomes written on the way; a time limit of the dead one is in none of it.
    expect(deliveredMs - finishedMs).toBeLessThan(4 * floorMs + 15_000);
    expect(dead.received).toHaveLength(0);
    expect(replica.output().split('"message":"leading"')).toHaveLength(2);
    expect([first.received.length, second.received.length]).toEqual([COUNT, COUNT]);
    expect(replica.output()).not.toContain('unhandled');
    await dead.up();
    await eventually('all at the third', () => dead.ids().size === COUNT, 120_000);
  });

  it('with three kill -9: all of them come, each under one id', async () => {
    const target = await receiver();
    await setting.createWebhook('target', { url: target.url });
    const names = namesOf('killed');
    const annotations = { 'hooks.krake.dev/on-job-done': 'target' };
    const watched = new Set(names.filter((_, n) => n % 10 === 0));
    await forEach(names, (name) => setting.createJob(name, watched.has(name) ? {} : { annotations }));
    await forEach([...watched], (name) => setting.createWatcher(`watch-${name}`, name, ['target']));
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
    // Twice came only what a kill caught between call and write, which gives way to new deliveries for some seconds.
    expect(target.received.length).toBeLessThan(2 * COUNT);
    await eventually(
      'nothing pending',
      async () => {
        const deliveries = await setting.deliveries();
        return deliveries.length === COUNT && deliveries.every(({ status }) => status?.phase === 'Delivered');
      },
      120_000,
    );
    await eventually('no watcher in PROCESSING', async () => {
      const kubectl = ['-n', 'shop', 'get', 'jdw', '-o', 'jsonpath={.items[*].status.phase}'];
      const phases = (await setting.controlPlane.kubectl(kubectl)).stdout.split(' ');
      return phases.length === watched.size && phases.every((phase) => phase === 'COMPLETED');
    });
  });
});
