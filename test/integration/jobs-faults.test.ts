import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import {
  CALM_LEASE,
  eventually,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';
import { answerWith, hang, ok, startReceiver, type Receiver } from './jobs-receiver.ts';
import { pause } from './jobs-scene.ts';

// The rows in which the original loses events: 20 Jobs each, 20 of 20 delivered, under 20 ids, and no watcher left on its way.

jest.setTimeout(300_000);
const JOBS = 20;
let setting: JobsSetting;
let receiver: Receiver;
let round = 0;
beforeAll(async () => {
  setting = await startJobsSetting();
}, 600_000);
afterAll(() => setting.stop());
afterEach(async () => {
  await setting.stopReplicas();
  await setting.clean();
  await receiver.stop();
});

/** A receiver, a webhook that leads to it, and the names of this test's Jobs. */
async function prepare(): Promise<readonly string[]> {
  receiver = await startReceiver();
  // No call that hangs comes to its time limit, and is tried again, before the test has gone on.
  await setting.createWebhook('target', { url: receiver.url, timeoutSeconds: 60 });
  round += 1;
  return Array.from({ length: JOBS }, (_, n) => `row${round}-${n}`);
}

async function createJobs(names: readonly string[]): Promise<void> {
  for (const name of names) await setting.createJob(name);
}
async function finishJobs(names: readonly string[], how?: 'complete' | 'failed'): Promise<void> {
  for (const name of names) await setting.finishJob(name, how);
}
/** Watchers of half of the Jobs by REST, as init containers would make them; of the others by kubectl. */
async function register(names: readonly string[], replica?: JobsReplica): Promise<void> {
  for (const [n, name] of names.entries()) {
    if (replica === undefined || n % 2 === 0) {
      await setting.createWatcher(`watch-${name}`, name, ['target']);
      continue;
    }
    const response = await fetch(`${replica.baseUrl}/job-done-watchers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': name },
      body: JSON.stringify({ jobName: name, jobDoneTriggerWebhooks: [{ webhookId: 'target' }] }),
    });
    expect(response.status).toBe(201);
  }
}

/** Every Job's event has come, each under one id; every watcher says so. */
async function expectAllDelivered(
  names: readonly string[],
  { watched = true, twiceAtMost = 1 } = {},
): Promise<void> {
  const jobsOf = () =>
    new Set(receiver.received.map(({ body }) => (JSON.parse(body) as { data: { name: string } }).data.name));
  await eventually(
    `${names.length} of ${names.length} delivered`,
    () => names.every((name) => jobsOf().has(name)),
    90_000,
  );
  expect(receiver.ids().size).toBe(names.length);
  if (watched) {
    const kubectl = ['-n', 'shop', 'get', 'jdw', '-o', 'jsonpath={.items[*].status.phase}'];
    const areCompleted = async () => {
      const phases = (await setting.controlPlane.kubectl(kubectl)).stdout.split(' ');
      return phases.length === names.length && phases.every((phase) => phase === 'COMPLETED');
    };
    await eventually('all watchers COMPLETED', areCompleted, 60_000);
  }
  const areDelivered = async () =>
    (await setting.deliveries()).every(({ status }) => status?.phase === 'Delivered');
  await eventually('all deliveries Delivered', areDelivered, 60_000);
  expect(await setting.deliveries()).toHaveLength(names.length);
  const accepted = Math.max(...receiver.ids().values());
  expect(accepted).toBeLessThanOrEqual(twiceAtMost);
}

describe('20 of 20', () => {
  it('in good times, each once', async () => {
    const names = await prepare();
    const replica = await setting.replica(CALM_LEASE);
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names);
    await expectAllDelivered(names);
  });

  it('receiver down while the Jobs finish', async () => {
    const names = await prepare();
    const replica = await setting.replica(CALM_LEASE);
    await createJobs(names);
    await register(names, replica);
    await receiver.down();
    await finishJobs(names);
    await eventually('attempts that failed', async () =>
      (await setting.deliveries()).some(({ status }) => (status?.attempts ?? 0) > 0),
    );
    await receiver.up();
    await expectAllDelivered(names);
  });

  it('receiver answers 500 for a while', async () => {
    const names = await prepare();
    const replica = await setting.replica();
    receiver.behave(answerWith(500));
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names);
    await eventually('answers of 500', () => receiver.received.length > 3);
    receiver.behave(ok);
    await expectAllDelivered(names, { twiceAtMost: Number.POSITIVE_INFINITY });
  });

  it('kill -9 between registration and completion', async () => {
    const names = await prepare();
    const replica = await setting.replica();
    await createJobs(names);
    await register(names, replica);
    await replica.kill();
    await finishJobs(names);
    await setting.replica(CALM_LEASE);
    await expectAllDelivered(names);
  });

  it('kill -9 with answers that were given, and are unread', async () => {
    const names = await prepare();
    const replica = await setting.replica();
    const open: { readonly id: string; readonly response: ServerResponse }[] = [];
    receiver.behave((response, { id }) => void open.push({ id, response }));
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names);
    await eventually('requests that wait', () => open.length > 3);
    // It does not read any more: what is answered now stays in its socket.
    process.kill(replica.pid, 'SIGSTOP');
    receiver.behave(hang);
    // Until each of its threads stands still.
    await pause(200);
    const answered = [...open];
    await Promise.all(
      answered.map(
        ({ response }) => new Promise<void>((resolve) => void response.writeHead(200).end('ok', resolve)),
      ),
    );
    await replica.kill();
    receiver.behave(ok);
    await setting.replica(CALM_LEASE);
    await expectAllDelivered(names, { twiceAtMost: 2 });
    // Nobody knows that they have come, so they come once more, under the same id.
    expect(answered.map(({ id }) => receiver.ids().get(id))).toEqual(answered.map(() => 2));
  });

  it('kill -9 while sending', async () => {
    const names = await prepare();
    const replica = await setting.replica();
    receiver.behave(hang);
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names);
    await eventually('a request that hangs', () => receiver.received.length > 0);
    await replica.kill();
    receiver.behave(ok);
    await setting.replica();
    // Those that hung are sent once more, under the same id.
    await expectAllDelivered(names, { twiceAtMost: 2 });
  });

  it('watcher registered after the end', async () => {
    const names = await prepare();
    await createJobs(names);
    await finishJobs(names);
    const replica = await setting.replica(CALM_LEASE);
    await register(names, replica);
    await expectAllDelivered(names);
  });

  it('Jobs that fail', async () => {
    const names = await prepare();
    const replica = await setting.replica(CALM_LEASE);
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names, 'failed');
    await expectAllDelivered(names);
    const types = receiver.received.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect(new Set(types)).toEqual(new Set(['dev.krake.hooks.job.failed']));
  });

  it('API server killed and back while the Jobs finish', async () => {
    const names = await prepare();
    const replica = await setting.replica();
    await createJobs(names);
    await register(names, replica);
    await finishJobs(names.slice(0, 10));
    await setting.controlPlane.killApiserver();
    await pause(1_000);
    await setting.controlPlane.startApiserver();
    await finishJobs(names.slice(10));
    await expectAllDelivered(names, { twiceAtMost: 2 });
  });

  it('one receiver that hangs does not hold the others', async () => {
    const names = await prepare();
    const hanging = await startReceiver(hang);
    try {
      await setting.createWebhook('hanging', { url: hanging.url, timeoutSeconds: 60 });
      const annotations = { 'hooks.krake.dev/on-job-done': 'hanging, target' };
      await setting.replica(CALM_LEASE);
      for (const name of names) await setting.createJob(name, { annotations });
      const startedAt = performance.now();
      await finishJobs(names);
      await eventually('20 of 20 at the other', () => receiver.ids().size === names.length, 50_000);
      // Not even the first of the calls that hang has come to its time limit.
      expect(performance.now() - startedAt).toBeLessThan(60_000);
      await eventually('calls that hang', () => hanging.received.length > 0);
    } finally {
      await hanging.stop();
    }
  });

  it('time limits go on while nobody runs; what was done in time is delivered late', async () => {
    await prepare();
    const replica = await setting.replica();
    await setting.createJob('in-time');
    await setting.createJob('never');
    await setting.createWatcher('in-time', 'in-time', ['target'], { timeoutSeconds: 10 });
    await setting.createWatcher('never', 'never', ['target'], { timeoutSeconds: 10 });
    await replica.kill();
    await setting.finishJob('in-time');
    await pause(11_000);
    await setting.replica();
    const phase = async (name: string) => (await setting.watcher(name))?.status?.phase;
    await eventually(
      'both final',
      async () => (await phase('never')) === 'TIMEOUT' && (await phase('in-time')) === 'COMPLETED',
    );
    expect(receiver.received).toHaveLength(1);
  });

  it('two replicas, the leader killed: the other goes on', async () => {
    const names = await prepare();
    const replicas = [await setting.replica(), await setting.replica()];
    const annotations = { 'hooks.krake.dev/on-job-complete': 'target' };
    for (const name of names) await setting.createJob(name, { annotations });
    await finishJobs(names.slice(0, 10));
    const leader = () => replicas.find((replica) => replica.output().includes('"message":"leading"'));
    await eventually('a leader', () => leader() !== undefined);
    await leader()?.kill();
    await finishJobs(names.slice(10));
    await expectAllDelivered(names, { watched: false, twiceAtMost: 2 });
  });
});
