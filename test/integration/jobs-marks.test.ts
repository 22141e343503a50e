import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  createKubeClient,
  KubeApiError,
  type FullKubeClient,
  type KubeObject,
} from '../../src/kube/index.ts';
import { WEBHOOKS, type WebhookDelivery } from '../../src/jobs/index.ts';
import { startJobsLeader, type JobsLeader } from './jobs-leader.ts';
import { pause } from './jobs-scene.ts';
import { eventually, NAMESPACE, startJobsSetting, type JobsSetting } from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';

// A mark tells every later leader that nothing is owed: it must not come while somebody who is to be told of the Job's end has no delivery.

jest.setTimeout(300_000);
let setting: JobsSetting;
let receiver: Receiver;
let client: FullKubeClient;
let leader: JobsLeader | undefined;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  client = createKubeClient({ kubeconfigPath: setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
}, 600_000);
afterEach(async () => {
  await leader?.end();
  leader = undefined;
  await setting.clean();
});
afterAll(async () => {
  client.close();
  await setting.stop();
  await receiver.stop();
});

/** Longer than a mark is put off. */
const LONGER_THAN_MARK_MS = 4_000;
const markOf = async (job: string): Promise<string | undefined> =>
  (await setting.job(job))?.metadata.annotations?.['hooks.krake.dev/webhooks-settled'];
const came = (path: string): boolean => receiver.received.some((request) => request.path === path);
const isMarked = (job: string) => eventually('the mark', async () => (await markOf(job)) !== undefined);
const isLabelled = (job: string) =>
  eventually('the label', async () => {
    const { labels } = (await setting.job(job))?.metadata ?? {};
    return labels?.['app.k8s.job.webhooks/webhooks-called'] === 'true';
  });

/** The API server lets nobody store a delivery for this Webhook, as a quota would. */
function refusing(webhook: string): FullKubeClient {
  return {
    ...client,
    create: <T extends KubeObject>(...args: Parameters<FullKubeClient['create']>) => {
      const { spec } = args[2] as Partial<WebhookDelivery>;
      return spec?.webhook.name === webhook
        ? Promise.reject(new KubeApiError('exceeded quota', 403, 'Forbidden'))
        : client.create<T>(...args);
    },
  };
}

describe('the mark of a done Job', () => {
  it('waits for a delivery that cannot be stored: the next leader stores and sends it', async () => {
    await setting.createWebhook('a', { url: `${receiver.url}/quota-a` });
    await setting.createWebhook('b', { url: `${receiver.url}/quota-b` });
    leader = await startJobsLeader({ client: refusing('b') });
    await setting.createJob('quota', { annotations: { 'hooks.krake.dev/on-job-done': 'a, b' } });
    await setting.finishJob('quota');
    await eventually('a is told', () => came('/quota-a'));
    await pause(LONGER_THAN_MARK_MS);
    expect(await markOf('quota')).toBeUndefined();
    await leader.end();
    leader = await startJobsLeader({ client });
    await eventually('b is told', () => came('/quota-b'));
    await isMarked('quota');
  });

  it('waits for a Webhook that is named and does not exist yet; whoever else was told is told once', async () => {
    await setting.createWebhook('a', { url: `${receiver.url}/later-a` });
    leader = await startJobsLeader({ client });
    await setting.createJob('later', { annotations: { 'hooks.krake.dev/on-job-done': 'a, b' } });
    await setting.finishJob('later');
    await eventually('a is told', () => came('/later-a'));
    await pause(LONGER_THAN_MARK_MS);
    expect(await markOf('later')).toBeUndefined();
    // The label informs of what is: something was called.
    await isLabelled('later');
    expect(await markOf('later')).toBeUndefined();
    await setting.createWebhook('b', { url: `${receiver.url}/later-b` });
    await eventually('b is told', () => came('/later-b'));
    await isMarked('later');
    expect(receiver.received.filter(({ path }) => path === '/later-a')).toHaveLength(1);
  });

  it('waits for an endpoint that is down, the label for the first that is called', async () => {
    await setting.createWebhook('dead', { url: 'http://127.0.0.1:1/dead' });
    leader = await startJobsLeader({ client });
    await setting.createJob('half', { annotations: { 'hooks.krake.dev/on-job-done': 'dead' } });
    await setting.finishJob('half');
    await eventually(
      'a failure',
      async () => (await setting.deliveries())[0]?.status?.attempts !== undefined,
    );
    await pause(LONGER_THAN_MARK_MS);
    expect((await setting.job('half'))?.metadata.labels).not.toHaveProperty([
      'app.k8s.job.webhooks/webhooks-called',
    ]);
    await setting.createWebhook('alive', { url: `${receiver.url}/half` });
    await setting.createJob('both', { annotations: { 'hooks.krake.dev/on-job-done': 'dead, alive' } });
    await setting.finishJob('both');
    await isLabelled('both');
    await pause(LONGER_THAN_MARK_MS);
    expect(await markOf('both')).toBeUndefined();
    await setting.admin.patch(
      { resource: WEBHOOKS, namespace: NAMESPACE, name: 'dead' },
      { type: 'merge', body: { spec: { url: `${receiver.url}/mended` } } },
    );
    await isMarked('both');
  });

  it('holds when a Webhook is widened: that is told at once of what has no mark, and nobody of the rest', async () => {
    await setting.createWebhook('narrow', {
      url: `${receiver.url}/narrow`,
      selector: {},
      events: ['failed'],
    });
    await setting.createWebhook('told', { url: `${receiver.url}/told` });
    leader = await startJobsLeader({ client });
    await setting.createJob('unmarked');
    await setting.finishJob('unmarked');
    await setting.createJob('marked', { annotations: { 'hooks.krake.dev/on-job-done': 'told' } });
    await setting.finishJob('marked');
    await eventually(
      'the mark to be known',
      () => leader?.caches.jobs.get(`${NAMESPACE}/marked`)?.settled !== undefined,
    );
    expect(came('/narrow')).toBe(false);
    await setting.admin.patch(
      { resource: WEBHOOKS, namespace: NAMESPACE, name: 'narrow' },
      { type: 'merge', body: { spec: { events: ['complete', 'failed'] } } },
    );
    await isMarked('unmarked');
    await pause(500);
    const bodies = (path: string) =>
      receiver.received.filter((request) => request.path === path).map(({ body }) => body);
    expect(bodies('/narrow')).toEqual([expect.stringContaining('"shop/unmarked"')]);
    expect(bodies('/told')).toHaveLength(1);
  });
});
