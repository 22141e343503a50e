import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  eventually,
  NAMESPACE,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';
import { ok, startReceiver, type Receiver } from './jobs-receiver.ts';

// Who is told of what, on a real API server and the process as it is deployed.

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
const came = (path: string, count = 1) => eventually(`${count} at ${path}`, () => at(path).length >= count);
const event = (path: string, n = 0) =>
  JSON.parse(at(path)[n]?.body ?? '{}') as { type: string; subject: string; data: Record<string, unknown> };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('who is told', () => {
  it('whom annotations of the Job name, by outcome', async () => {
    for (const name of ['done', 'failed', 'complete']) {
      await setting.createWebhook(name, { url: `${receiver.url}/ann-${name}` });
    }
    const annotations = {
      'hooks.krake.dev/on-job-done': 'done',
      'hooks.krake.dev/on-job-failed': 'failed',
      'hooks.krake.dev/on-job-complete': 'complete',
    };
    await setting.createJob('good', { annotations });
    await setting.createJob('bad', { annotations });
    await setting.finishJob('good');
    await setting.finishJob('bad', 'failed');
    await came('/ann-done', 2);
    await came('/ann-failed');
    await came('/ann-complete');
    await pause(300);
    expect(at('/ann-done')).toHaveLength(2);
    expect(at('/ann-failed')).toHaveLength(1);
    expect(event('/ann-failed')).toMatchObject({
      subject: 'shop/bad',
      data: { outcome: 'failed', reason: 'Test', failed: 1 },
    });
    expect(at('/ann-complete')).toHaveLength(1);
    expect(event('/ann-complete')).toMatchObject({
      subject: 'shop/good',
      data: { outcome: 'complete', succeeded: 1 },
    });
  });

  it('whom annotations of the CronJob name, and its family', async () => {
    await setting.createWebhook('by-annotation', { url: `${receiver.url}/cron-annotation` });
    await setting.createWebhook('family', {
      url: `${receiver.url}/family`,
      format: 'verbatim',
      cronJobs: ['nightly'],
    });
    const cronJob = await setting.admin.create({ apiVersion: 'batch/v1', plural: 'cronjobs' }, NAMESPACE, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: {
        name: 'nightly',
        namespace: NAMESPACE,
        annotations: { 'hooks.krake.dev/on-job-done': 'by-annotation' },
      },
      spec: {
        schedule: '0 0 1 1 *',
        jobTemplate: {
          spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } } },
        },
      },
    });
    const owner = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      name: 'nightly',
      uid: cronJob.metadata.uid,
      controller: true,
    };
    await setting.createJob('nightly-1', { ownerReferences: [owner] });
    await setting.finishJob('nightly-1');
    await came('/cron-annotation');
    await came('/family');
    expect(at('/family')[0]).toMatchObject({ body: '', headers: { 'content-type': 'text/plain' } });
  });

  it('whom a workload that the Job belongs to names', async () => {
    await setting.createWebhook('of-owner', { url: `${receiver.url}/owner` });
    const labels = { app: 'x' };
    const deployment = await setting.admin.create(
      { apiVersion: 'apps/v1', plural: 'deployments' },
      NAMESPACE,
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: {
          name: 'pipeline',
          namespace: NAMESPACE,
          annotations: { 'hooks.krake.dev/on-job-done': 'of-owner' },
        },
        spec: {
          replicas: 0,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } },
        },
      },
    );
    const owner = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'pipeline',
      uid: deployment.metadata.uid,
      controller: true,
    };
    await setting.createJob('step', { ownerReferences: [owner] });
    await setting.finishJob('step');
    await came('/owner');
  });

  it('whose selector matches, of what has happened since', async () => {
    await setting.createJob('earlier', { labels: { team: 'a' } });
    await setting.finishJob('earlier');
    await pause(1_100);
    await setting.createWebhook('selector', {
      url: `${receiver.url}/selector`,
      selector: { matchLabels: { team: 'a' } },
    });
    await setting.createJob('later', { labels: { team: 'a' } });
    await setting.createJob('other', { labels: { team: 'b' } });
    await setting.finishJob('later');
    await setting.finishJob('other');
    await came('/selector');
    await pause(500);
    expect(at('/selector').map((_request, n) => event('/selector', n).subject)).toEqual(['shop/later']);
  });

  it('a webhook that is named before it exists, once it does', async () => {
    await setting.createJob('early', { annotations: { 'hooks.krake.dev/on-job-done': 'not-yet' } });
    await setting.finishJob('early');
    await pause(500);
    await setting.createWebhook('not-yet', { url: `${receiver.url}/not-yet` });
    await came('/not-yet');
  });

  it('nobody in a namespace that is not opted in; those of it once it is', async () => {
    await setting.createWebhook('opted', { url: `${receiver.url}/opted` });
    const label = (value: string) =>
      setting.controlPlane.kubectl([
        'label',
        '--overwrite',
        'namespace',
        NAMESPACE,
        `hooks.krake.dev/enabled=${value}`,
      ]);
    await label('false');
    await pause(500);
    await setting.createJob('optional', { annotations: { 'hooks.krake.dev/on-job-done': 'opted' } });
    await setting.finishJob('optional');
    await pause(1_000);
    expect(at('/opted')).toHaveLength(0);
    await label('true');
    await came('/opted');
  });

  it('suspended and deleted, if asked for', async () => {
    const events = ['complete', 'suspended', 'deleted'] as const;
    await setting.createWebhook('curious', {
      url: `${receiver.url}/curious`,
      events: [...events],
      selector: {},
    });
    await setting.createWebhook('plain', { url: `${receiver.url}/plain`, selector: {} });
    await setting.createJob('moody');
    await setting.admin.patch(
      {
        resource: { apiVersion: 'batch/v1', plural: 'jobs' },
        namespace: NAMESPACE,
        name: 'moody',
        subresource: 'status',
      },
      {
        type: 'merge',
        body: {
          status: {
            conditions: [
              {
                type: 'Suspended',
                status: 'True',
                lastTransitionTime: new Date().toISOString().replace(/\.\d+/, ''),
              },
            ],
          },
        },
      },
    );
    await came('/curious');
    await setting.deleteJob('moody');
    await came('/curious', 2);
    expect([event('/curious').type, event('/curious', 1).type]).toEqual([
      'dev.krake.hooks.job.suspended',
      'dev.krake.hooks.job.deleted',
    ]);
    expect(at('/plain')).toHaveLength(0);
  });
});
