import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import { startJobsLeader } from './jobs-leader.ts';
import { eventually, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';
import { createRecordingClient } from './recording-client.ts';

// The leader dies after its first write, after its second, and so on; each time the next one goes on. The client is cut at the write, with the write done and its answer
// lost, which is what a kill -9 there leaves behind.

jest.setTimeout(300_000);
let setting: JobsSetting;
let receiver: Receiver;
let client: FullKubeClient;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  client = createKubeClient({ kubeconfigPath: setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
}, 600_000);
afterAll(async () => {
  client.close();
  await setting.stop();
  await receiver.stop();
});
afterEach(() => setting.clean());

/** Leads until it has made so many writes, or until all is done; resolves to whether it died. */
async function lead(diesAfter: number, isDone: () => Promise<boolean>): Promise<boolean> {
  const recording = createRecordingClient(client, diesAfter);
  const leader = await startJobsLeader({ client: recording.client });
  await eventually('death or the end', async () => recording.dead() || (await isDone()));
  const died = recording.dead();
  await leader.end();
  return died;
}

describe('killed at every write', () => {
  it('two webhooks, a watcher, an annotation, one failure: each id comes, nothing is left on its way', async () => {
    let kills = 0;
    for (let writes = 1; ; writes += 1) {
      const name = `crash-${writes}`;
      let failures = 1;
      receiver.behave((response, { path }) => {
        const fails = path === '/b' && failures-- > 0;
        response.writeHead(fails ? 503 : 200).end();
      });
      const before = receiver.received.length;
      await setting.createWebhook('a', { url: `${receiver.url}/a` });
      await setting.createWebhook('b', { url: `${receiver.url}/b` });
      await setting.createWatcher('watch', name, ['a', 'b']);
      await setting.createJob(name, { annotations: { 'hooks.krake.dev/on-job-done': 'a' } });
      await setting.finishJob(name);
      const isDone = async () => {
        const phase = (await setting.watcher('watch'))?.status?.phase;
        const settled = (await setting.job(name))?.metadata.annotations?.['hooks.krake.dev/webhooks-settled'];
        return phase === 'COMPLETED' && settled !== undefined;
      };
      const died = await lead(writes, isDone);
      if (died) kills += 1;
      // Whoever comes next dies no more.
      await lead(Number.POSITIVE_INFINITY, isDone);
      const received = receiver.received.slice(before);
      const deliveries = await setting.deliveries();
      expect(deliveries.map(({ status }) => status?.phase)).toEqual(['Delivered', 'Delivered']);
      expect(new Set(received.map(({ id }) => id))).toEqual(
        new Set(deliveries.map(({ metadata }) => metadata.name)),
      );
      // One failed; of both deliveries one more may have been caught between call and write.
      expect(received.length).toBeLessThanOrEqual(5);
      await setting.clean();
      if (!died) break;
    }
    console.log(`killed at ${kills} writes`);
    expect(kills).toBeGreaterThanOrEqual(6);
  });

  it('the Job gone before the next leader: its watcher is served by what the outbox has', async () => {
    receiver.behave((response) => void response.writeHead(200).end());
    await setting.createWebhook('a', { url: `${receiver.url}/gone-a` });
    await setting.createWebhook('b', { url: `${receiver.url}/gone-b` });
    const uid = await setting.createJob('gone');
    await setting.createWatcher('first', 'gone', ['a'], { jobUid: uid });
    await setting.finishJob('gone');
    await lead(1, () => Promise.resolve(false));
    await setting.deleteJob('gone');
    await setting.createWatcher('second', 'gone', ['b'], { jobUid: uid });
    await lead(Number.POSITIVE_INFINITY, async () => {
      const phases = await Promise.all(
        ['first', 'second'].map(async (name) => (await setting.watcher(name))?.status?.phase),
      );
      return phases.every((phase) => phase === 'COMPLETED');
    });
    expect(receiver.received.filter(({ path }) => path === '/gone-b')).toHaveLength(1);
  });
});
