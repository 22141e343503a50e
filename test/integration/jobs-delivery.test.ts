import { describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { buildTestDelivery } from '../../src/cli/job-webhooks/send-test-event.ts';
import { JOBS, WEBHOOK_DELIVERIES, WEBHOOKS, type WebhookDelivery } from '../../src/jobs/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { answerWith, ok } from './jobs-receiver.ts';
import { pause, useJobsScene } from './jobs-scene.ts';
import { endedStatus, eventually, NAMESPACE } from './jobs-setting.ts';

// Who is told of what, on a real API server and the process as it is deployed.

jest.setTimeout(300_000);
const scene = useJobsScene();

const { at, came, event } = scene;

describe('who is told', () => {
  it('whom annotations of the Job name, by outcome', async () => {
    for (const name of ['done', 'failed', 'complete']) {
      await scene.setting.createWebhook(name, { url: `${scene.receiver.url}/ann-${name}` });
    }
    const annotations = {
      'hooks.krake.dev/on-job-done': 'done',
      'hooks.krake.dev/on-job-failed': 'failed',
      'hooks.krake.dev/on-job-complete': 'complete',
    };
    await scene.setting.createJob('good', { annotations });
    await scene.setting.createJob('bad', { annotations });
    await scene.setting.finishJob('good');
    await scene.setting.finishJob('bad', 'failed');
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
    await scene.setting.createWebhook('by-annotation', { url: `${scene.receiver.url}/cron-annotation` });
    await scene.setting.createWebhook('family', {
      url: `${scene.receiver.url}/family`,
      format: 'verbatim',
      cronJobs: ['nightly'],
    });
    const cronJob = await scene.setting.admin.create(
      { apiVersion: 'batch/v1', plural: 'cronjobs' },
      NAMESPACE,
      {
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
      },
    );
    const owner = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      name: 'nightly',
      uid: cronJob.metadata.uid,
      controller: true,
    };
    await scene.setting.createJob('nightly-1', { ownerReferences: [owner] });
    await scene.setting.finishJob('nightly-1');
    await came('/cron-annotation');
    await came('/family');
    expect(at('/family')[0]).toMatchObject({ body: '', headers: { 'content-type': 'text/plain' } });
  });

  it('whom a workload that the Job belongs to names', async () => {
    await scene.setting.createWebhook('of-owner', { url: `${scene.receiver.url}/owner` });
    const labels = { app: 'x' };
    const deployment = await scene.setting.admin.create(
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
    await scene.setting.createJob('step', { ownerReferences: [owner] });
    await scene.setting.finishJob('step');
    await came('/owner');
  });

  it('whose selector matches, of what has happened since', async () => {
    await scene.setting.createJob('earlier', { labels: { team: 'a' } });
    await scene.setting.finishJob('earlier');
    await pause(1_100);
    await scene.setting.createWebhook('selector', {
      url: `${scene.receiver.url}/selector`,
      selector: { matchLabels: { team: 'a' } },
    });
    await scene.setting.createJob('later', { labels: { team: 'a' } });
    await scene.setting.createJob('other', { labels: { team: 'b' } });
    await scene.setting.finishJob('later');
    await scene.setting.finishJob('other');
    await came('/selector');
    await pause(500);
    expect(at('/selector').map((_request, n) => event('/selector', n).subject)).toEqual(['shop/later']);
  });

  it('a webhook that is named before it exists, once it does', async () => {
    await scene.setting.createJob('early', { annotations: { 'hooks.krake.dev/on-job-done': 'not-yet' } });
    await scene.setting.finishJob('early');
    await pause(500);
    await scene.setting.createWebhook('not-yet', { url: `${scene.receiver.url}/not-yet` });
    await came('/not-yet');
  });

  describe('a namespace that is not opted in', () => {
    const label = (value: string) =>
      scene.setting.controlPlane.kubectl([
        'label',
        '--overwrite',
        'namespace',
        NAMESPACE,
        `hooks.krake.dev/enabled=${value}`,
      ]);
    const optOut = async () => {
      await label('false');
      await eventually('it to be seen', async () => {
        const { status } = await fetch(`${scene.replica.baseUrl}/webhooks`);
        return status === 403;
      });
    };

    it('is told nothing of; of its Jobs once it is opted in', async () => {
      await scene.setting.createWebhook('opted', { url: `${scene.receiver.url}/opted` });
      try {
        await optOut();
        await scene.setting.createJob('optional', {
          annotations: { 'hooks.krake.dev/on-job-done': 'opted' },
        });
        await scene.setting.finishJob('optional');
        await pause(1_000);
        expect(at('/opted')).toHaveLength(0);
      } finally {
        await label('true');
      }
      await came('/opted');
    });

    it('is sent nothing of that waits there, nor what a tenant puts there; opted in again it goes on', async () => {
      scene.receiver.behave(answerWith(503));
      const webhook = await scene.setting.createWebhook('held', { url: `${scene.receiver.url}/held` });
      await scene.setting.createJob('held', { annotations: { 'hooks.krake.dev/on-job-done': 'held' } });
      await scene.setting.finishJob('held');
      await came('/held');
      try {
        await optOut();
        const optedOutAt = Date.now();
        const own = buildTestDelivery(webhook, randomUUID(), Date.now()) as KubeObject;
        await scene.setting.admin.create(WEBHOOK_DELIVERIES, NAMESPACE, own);
        // The next attempt would be due within a second.
        await pause(2_500);
        // What was under way then may have come since; it is in the log, which has when each attempt began.
        let statuses: WebhookDelivery['status'][] = [];
        await eventually('the log to know all that came', async () => {
          statuses = (await scene.setting.deliveries()).map(({ status }) => status);
          return statuses.reduce((sum, status) => sum + (status?.attempts ?? 0), 0) === at('/held').length;
        });
        expect(statuses.map((status) => status?.phase ?? 'Pending')).toEqual(['Pending', 'Pending']);
        const begun = statuses.flatMap((status) => status?.log ?? []);
        expect(begun.length).toBeGreaterThan(0);
        for (const { at: begunAt } of begun) expect(Date.parse(begunAt)).toBeLessThanOrEqual(optedOutAt);
        scene.receiver.behave(ok);
      } finally {
        await label('true');
      }
      await eventually('both to be delivered', async () =>
        (await scene.setting.deliveries()).every(({ status }) => status?.phase === 'Delivered'),
      );
    });
  });

  it('each namespace for itself: by its own webhook of that name, and by no other', async () => {
    const { controlPlane, admin } = scene.setting;
    const elsewhere = 'elsewhere';
    await controlPlane.kubectl(['create', 'namespace', elsewhere]);
    await controlPlane.kubectl(['label', 'namespace', elsewhere, 'hooks.krake.dev/enabled=true']);
    await scene.setting.createWebhook('same-name', { url: `${scene.receiver.url}/here` });
    await scene.setting.createWebhook('only-here', { url: `${scene.receiver.url}/only-here` });
    await admin.create(WEBHOOKS, elsewhere, {
      apiVersion: WEBHOOKS.apiVersion,
      kind: 'Webhook',
      metadata: { name: 'same-name', namespace: elsewhere },
      spec: { url: `${scene.receiver.url}/there` },
    });
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } };
    await admin.create(JOBS, elsewhere, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: 'theirs',
        namespace: elsewhere,
        annotations: { 'hooks.krake.dev/on-job-done': 'same-name,only-here' },
      },
      spec: { managedBy: 'example.com/test', template },
    });
    await admin.patch(
      { resource: JOBS, namespace: elsewhere, name: 'theirs', subresource: 'status' },
      { type: 'merge', body: { status: endedStatus('complete') } },
    );
    await came('/there');
    expect(event('/there').subject).toBe('elsewhere/theirs');
    await pause(300);
    expect([at('/here').length, at('/only-here').length]).toEqual([0, 0]);
    // Who wrote a name that nobody has hears of it.
    await eventually('an Event', async () => {
      const { stdout } = await controlPlane.kubectl(['-n', elsewhere, 'get', 'events']);
      return stdout.includes('WebhookNotFound');
    });
  });

  it('suspended and deleted, if asked for', async () => {
    const events = ['complete', 'suspended', 'deleted'] as const;
    await scene.setting.createWebhook('curious', {
      url: `${scene.receiver.url}/curious`,
      events: [...events],
      selector: {},
    });
    await scene.setting.createWebhook('plain', { url: `${scene.receiver.url}/plain`, selector: {} });
    await scene.setting.createJob('moody');
    await scene.setting.admin.patch(
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
    await scene.setting.deleteJob('moody');
    await came('/curious', 2);
    expect([event('/curious').type, event('/curious', 1).type]).toEqual([
      'dev.krake.hooks.job.suspended',
      'dev.krake.hooks.job.deleted',
    ]);
    expect(at('/plain')).toHaveLength(0);
  });
});
