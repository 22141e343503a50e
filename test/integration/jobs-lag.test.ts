import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import { startJobsLeader, type JobsLeader } from './jobs-leader.ts';
import { pause } from './jobs-scene.ts';
import { eventually, NAMESPACE, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';
import { createStalledClient, type StalledClient } from './stalled-client.ts';

// Each kind of object has a watch of its own, and any of them may be behind the others: nothing final is decided upon what has merely not come yet.

jest.setTimeout(300_000);
let setting: JobsSetting;
let receiver: Receiver;
let real: FullKubeClient;
let stalled: StalledClient;
let leader: JobsLeader | undefined;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  real = createKubeClient({ kubeconfigPath: setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
}, 600_000);
afterEach(async () => {
  stalled.release();
  await leader?.end();
  leader = undefined;
  await setting.clean();
});
afterAll(async () => {
  real.close();
  await setting.stop();
  await receiver.stop();
});

async function lead(): Promise<JobsLeader> {
  stalled = createStalledClient(real);
  leader = await startJobsLeader({ client: stalled.client });
  return leader;
}
const phase = async (name: string) => (await setting.watcher(name))?.status?.phase;
const isCompleted = (name: string) =>
  eventually(`${name} COMPLETED`, async () => {
    const now = await phase(name);
    // Nothing else that is final may come in between.
    expect([undefined, 'PENDING', 'PROCESSING', 'COMPLETED']).toContain(now);
    return now === 'COMPLETED';
  });
const came = (path: string): number => receiver.received.filter((request) => request.path === path).length;

describe('watches that lag', () => {
  it('a watcher that REST has bound to a Job which the leader has not seen is not CANCELLED', async () => {
    await lead();
    await setting.createWebhook('w', { url: `${receiver.url}/unseen` });
    stalled.stall('jobs');
    const jobUid = await setting.createJob('unseen');
    await setting.createWatcher('unseen', 'unseen', ['w'], { jobUid });
    await pause(2_500);
    expect([undefined, 'PENDING']).toContain(await phase('unseen'));
    await setting.finishJob('unseen');
    stalled.release();
    await isCompleted('unseen');
    expect(came('/unseen')).toBe(1);
  });

  it('a Webhook that has not come yet is called all the same', async () => {
    const { caches } = await lead();
    await setting.createJob('done');
    await setting.finishJob('done');
    await eventually('seen', () => caches.jobs.get(`${NAMESPACE}/done`)?.end !== undefined);
    stalled.stall('webhooks');
    await setting.createWebhook('w', { url: `${receiver.url}/webhook-unseen` });
    await setting.createWatcher('done', 'done', ['w']);
    await isCompleted('done');
    expect(came('/webhook-unseen')).toBe(1);
  });

  it('a Job that was done in time is in time, though its end has not come yet', async () => {
    const { caches } = await lead();
    await setting.createWebhook('w', { url: `${receiver.url}/in-time` });
    await setting.createJob('in-time');
    // Whole seconds count, and what follows has to be done in time on a busy machine too.
    await setting.createWatcher('whole', 'in-time', ['w'], { timeoutSeconds: 20 });
    await eventually('seen', () => caches.jobs.get(`${NAMESPACE}/in-time`) !== undefined);
    await eventually('bound', async () => (await setting.watcher('whole'))?.status?.jobUid !== undefined);
    stalled.stall('jobs');
    await setting.finishJob('in-time');
    await pause(21_000);
    await isCompleted('whole');
    expect(came('/in-time')).toBe(1);
  });

  it.each([
    ['running', false],
    ['done', true],
  ])(
    'a watcher made after its Job was created anew is bound to that one, not to the old one that is %s',
    async (old, isDone) => {
      const { caches } = await lead();
      await setting.createWebhook('w', { url: `${receiver.url}/anew-${old}` });
      await setting.createJob('anew');
      if (isDone) await setting.finishJob('anew');
      await eventually('seen', () => {
        const seen = caches.jobs.get(`${NAMESPACE}/anew`);
        return seen !== undefined && (seen.end !== undefined) === isDone;
      });
      stalled.stall('jobs');
      await setting.deleteJob('anew');
      const uid = await setting.createJob('anew');
      await setting.createWatcher('anew', 'anew', ['w']);
      await eventually('bound', async () => (await setting.watcher('anew'))?.status?.jobUid === uid);
      expect(await phase('anew')).toBe('PENDING');
      stalled.release();
      await eventually('seen', () => caches.jobs.get(`${NAMESPACE}/anew`)?.uid === uid);
      expect(came(`/anew-${old}`)).toBe(0);
      await setting.finishJob('anew');
      await isCompleted('anew');
      expect(came(`/anew-${old}`)).toBe(1);
    },
  );

  it('a Job that ended in time and is gone, before the watch has brought either, is in time', async () => {
    const { caches } = await lead();
    await setting.createWebhook('w', { url: `${receiver.url}/gone-in-time` });
    const jobUid = await setting.createJob('gone-in-time');
    await eventually('seen', () => caches.jobs.get(`${NAMESPACE}/gone-in-time`) !== undefined);
    stalled.stall('jobs');
    await setting.createWatcher('gone-in-time', 'gone-in-time', ['w'], { jobUid, timeoutSeconds: 10 });
    await setting.finishJob('gone-in-time');
    await setting.deleteJob('gone-in-time');
    await pause(11_500);
    expect(await phase('gone-in-time')).toBe('PENDING');
    stalled.release();
    await isCompleted('gone-in-time');
    expect(came('/gone-in-time')).toBe(1);
  });

  it('what is over, and what is gone, is still so', async () => {
    await lead();
    await setting.createWebhook('w', { url: `${receiver.url}/over`, events: ['complete', 'timeout'] });
    const jobUid = await setting.createJob('over');
    await setting.createWatcher('over', 'over', ['w'], { timeoutSeconds: 1 });
    await setting.createWatcher('gone', 'over', ['w'], { jobUid });
    await setting.createWatcher('nobody', 'no-such-job', ['w'], { jobUid: 'no-such-uid' });
    await eventually('TIMEOUT', async () => (await phase('over')) === 'TIMEOUT');
    await setting.deleteJob('over');
    await eventually('CANCELLED', async () => (await phase('gone')) === 'CANCELLED');
    await eventually('CANCELLED', async () => (await phase('nobody')) === 'CANCELLED');
    await eventually('told of the time', () => came('/over') === 1);
  });
});
