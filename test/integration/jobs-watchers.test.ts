import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually, startJobsSetting, type JobsReplica, type JobsSetting } from './jobs-setting.ts';
import { answerWith, ok, startReceiver, type Receiver } from './jobs-receiver.ts';

// Watchers: bound to one Job, with time limits, with one final phase; on a real API server and the process as it is deployed.

jest.setTimeout(120_000);
let setting: JobsSetting;
let receiver: Receiver;
let replica: JobsReplica;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  replica = await setting.replica();
  expect(replica.pid).toBeGreaterThan(0);
}, 120_000);
afterAll(async () => {
  await setting.stop();
  await receiver.stop();
});
afterEach(async () => {
  receiver.behave(ok);
  await setting.clean();
});

const at = (path: string) => receiver.received.filter((request) => request.path === path);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('watchers', () => {
  const phase = async (name: string) => (await setting.watcher(name))?.status?.phase;

  it('registered before the Job, it is bound to its UID; a namesake does not fire it', async () => {
    await setting.createWebhook('w', { url: `${receiver.url}/bound` });
    await setting.createWatcher('before', 'namesake', ['w']);
    const uid = await setting.createJob('namesake');
    await eventually('bound', async () => (await setting.watcher('before'))?.status?.jobUid === uid);
    await setting.deleteJob('namesake');
    await eventually('CANCELLED', async () => (await phase('before')) === 'CANCELLED');
    await setting.createJob('namesake');
    await setting.finishJob('namesake');
    await pause(700);
    expect(at('/bound')).toHaveLength(0);
    expect(await phase('before')).toBe('CANCELLED');
  });

  it('the end of time on both levels', async () => {
    await setting.createWebhook('w', { url: `${receiver.url}/time` });
    await setting.createWatcher('whole', 'slow', ['w'], { timeoutSeconds: 2 });
    await setting.createWatcher('partly', 'slow', [], {
      webhooks: [
        { id: 'short', webhook: 'w', timeoutSeconds: 2 },
        { id: 'long', webhook: 'w' },
      ],
    });
    await setting.createJob('slow');
    await eventually('TIMEOUT', async () => (await phase('whole')) === 'TIMEOUT');
    await eventually(
      'the first trigger',
      async () => (await setting.watcher('partly'))?.status?.webhooks?.[0]?.status === 'TIMEOUT',
    );
    await setting.finishJob('slow');
    await eventually('the second trigger', async () => (await phase('partly')) === 'PARTIALLY_COMPLETED');
    expect(at('/time')).toHaveLength(1);
    expect(await phase('whole')).toBe('TIMEOUT');
  });

  it('no webhook of it delivered: FAILED; none listed: COMPLETED', async () => {
    receiver.behave(answerWith(410));
    await setting.createWebhook('w', { url: `${receiver.url}/never` });
    await setting.createJob('x');
    await setting.createWatcher('fails', 'x', ['w']);
    await setting.createWatcher('unknown', 'x', ['no-such-webhook']);
    await setting.createWatcher('none', 'x', []);
    await setting.finishJob('x');
    await eventually('all final', async () => {
      const phases = await Promise.all(['fails', 'unknown', 'none'].map(phase));
      return phases.join() === 'FAILED,FAILED,COMPLETED';
    });
  });

  it('two watchers and an annotation for one webhook are one delivery', async () => {
    await setting.createWebhook('w', { url: `${receiver.url}/one` });
    await setting.createJob('popular', { annotations: { 'hooks.krake.dev/on-job-done': 'w' } });
    await setting.createWatcher('a', 'popular', ['w']);
    await setting.createWatcher('b', 'popular', ['w']);
    await setting.finishJob('popular');
    await eventually(
      'both COMPLETED',
      async () => (await phase('a')) === 'COMPLETED' && (await phase('b')) === 'COMPLETED',
    );
    expect(at('/one')).toHaveLength(1);
  });

  it('marks the Job when all is done', async () => {
    await setting.createWebhook('w', { url: `${receiver.url}/mark` });
    const uid = await setting.createJob('marked', { annotations: { 'hooks.krake.dev/on-job-done': 'w' } });
    await setting.finishJob('marked');
    await eventually('label and annotation', async () => {
      const { labels, annotations } = (await setting.job('marked'))?.metadata ?? {};
      return (
        labels?.['app.k8s.job.webhooks/webhooks-called'] === 'true' &&
        annotations?.['hooks.krake.dev/webhooks-settled'] === `${uid}/complete`
      );
    });
  });
});
