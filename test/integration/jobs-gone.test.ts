import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  createKubeClient,
  KubeApiError,
  type FullKubeClient,
  type KubeObject,
} from '../../src/kube/index.ts';
import { startJobsLeader, type JobsLeader } from './jobs-leader.ts';
import { CALM_LEASE, eventually, NAMESPACE, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';
import { createStalledClient } from './stalled-client.ts';

// Jobs that are deleted as soon as they have ended (ttlSecondsAfterFinished: 0, or a script that waits and deletes): who is to be told of their end is told, whoever's
// turn comes late.

jest.setTimeout(300_000);
const COUNT = 100;
const NAMES = Array.from({ length: COUNT }, (_, n) => `gone-${n}`);
let setting: JobsSetting;
let receiver: Receiver;
let real: FullKubeClient;
let leader: JobsLeader | undefined;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  real = createKubeClient({ kubeconfigPath: setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
}, 600_000);
afterEach(async () => {
  await leader?.end();
  leader = undefined;
  await setting.stopReplicas();
  await setting.clean();
});
afterAll(async () => {
  real.close();
  await setting.stop();
  await receiver.stop();
});

const came = (path: string) => receiver.received.filter((request) => request.path === path);
const deleteAllJobs = () =>
  setting.controlPlane.kubectl([
    'delete',
    '--raw',
    `/apis/batch/v1/namespaces/${NAMESPACE}/jobs?propagationPolicy=Background`,
  ]);
const phasesOf = (names: readonly string[]) =>
  Promise.all(names.map(async (name) => (await setting.watcher(`of-${name}`))?.status?.phase));

/** A client that cannot store deliveries, as with a quota that is used up, until it is mended. */
function createFullClient(): { readonly client: FullKubeClient; readonly mend: () => void } {
  let isFull = true;
  const create = <T extends KubeObject>(...args: Parameters<FullKubeClient['create']>) =>
    isFull && args[0].plural === 'webhookdeliveries'
      ? Promise.reject(new KubeApiError('the quota is used up', 403, 'Forbidden'))
      : real.create<T>(...args);
  return {
    client: { ...real, create },
    mend: () => {
      isFull = false;
    },
  };
}

describe('Jobs that go as soon as they have ended', () => {
  it('many at once, and no delivery can be stored meanwhile: each watcher is served', async () => {
    const { client, mend } = createFullClient();
    leader = await startJobsLeader({ client });
    await setting.createWebhook('w', { url: `${receiver.url}/at-once` });
    for (const name of NAMES) {
      const jobUid = await setting.createJob(name);
      await setting.createWatcher(`of-${name}`, name, ['w'], { jobUid });
    }
    await Promise.all(NAMES.map((name) => setting.finishJob(name)));
    await deleteAllJobs();
    await eventually('all seen to be gone', () => leader?.caches.jobs.store.size === 0);
    mend();
    // Each is tried again after a pause that has grown with its failures, up to half a minute.
    await eventually(
      'all COMPLETED',
      async () => (await phasesOf(NAMES)).every((phase) => phase === 'COMPLETED'),
      120_000,
    );
    expect(new Set(came('/at-once').map(({ id }) => id)).size).toBe(COUNT);
  });

  it('before their watchers have been seen: each is served', async () => {
    const stalled = createStalledClient(real);
    leader = await startJobsLeader({ client: stalled.client });
    const names = NAMES.slice(0, 20);
    await setting.createWebhook('w', { url: `${receiver.url}/unseen` });
    stalled.stall('jobdonewatchers');
    for (const name of names) {
      await setting.createWatcher(`of-${name}`, name, ['w']);
      await setting.createJob(name);
    }
    await Promise.all(names.map((name) => setting.finishJob(name)));
    await deleteAllJobs();
    await eventually('all seen to be gone', () => leader?.caches.jobs.store.size === 0);
    stalled.release();
    await eventually('all COMPLETED', async () =>
      (await phasesOf(names)).every((phase) => phase === 'COMPLETED'),
    );
    expect(new Set(came('/unseen').map(({ id }) => id)).size).toBe(names.length);
  });

  it('while nobody leads: the replica that leads next has seen it, and tells', async () => {
    const first = await setting.replica(CALM_LEASE);
    await eventually('it to lead', async () => /^krake_hooks_leader 1$/m.test(await first.metrics()));
    await setting.replica(CALM_LEASE);
    const names = NAMES.slice(0, 10);
    await setting.createWebhook('a', { url: `${receiver.url}/annotated` });
    await setting.createWebhook('w', { url: `${receiver.url}/watched` });
    for (const name of names) {
      const annotations = { 'hooks.krake.dev/on-job-done': 'a' };
      const jobUid = await setting.createJob(name, { annotations });
      await setting.createWatcher(`of-${name}`, name, ['w'], { jobUid });
    }
    await first.kill();
    await Promise.all(names.map((name) => setting.finishJob(name)));
    await deleteAllJobs();
    expect(await setting.deliveries()).toEqual([]);
    await eventually(
      'all COMPLETED',
      async () => (await phasesOf(names)).every((phase) => phase === 'COMPLETED'),
      120_000,
    );
    for (const path of ['/annotated', '/watched']) {
      await eventually(`all at ${path}`, () => came(path).length >= names.length);
      expect(new Set(came(path).map(({ id }) => id)).size).toBe(names.length);
    }
  });
});
