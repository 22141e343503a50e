import { describe, expect, it, jest } from '@jest/globals';
import { answerWith } from './jobs-receiver.ts';
import { pause, useJobsScene } from './jobs-scene.ts';
import { eventually, NAMESPACE } from './jobs-setting.ts';

// Watchers: bound to one Job, with time limits, with one final phase; on a real API server and the process as it is deployed.

jest.setTimeout(300_000);
const scene = useJobsScene();

const { at } = scene;

describe('watchers', () => {
  const phase = async (name: string) => (await scene.setting.watcher(name))?.status?.phase;

  it('registered before the Job, it is bound to its UID; a namesake does not fire it', async () => {
    await scene.setting.createWebhook('w', { url: `${scene.receiver.url}/bound` });
    await scene.setting.createWatcher('before', 'namesake', ['w']);
    const uid = await scene.setting.createJob('namesake');
    await eventually('bound', async () => (await scene.setting.watcher('before'))?.status?.jobUid === uid);
    await scene.setting.deleteJob('namesake');
    await eventually('CANCELLED', async () => (await phase('before')) === 'CANCELLED');
    await scene.setting.createJob('namesake');
    await scene.setting.finishJob('namesake');
    await pause(700);
    expect(at('/bound')).toHaveLength(0);
    expect(await phase('before')).toBe('CANCELLED');
  });

  it('is PENDING from its first moment on, and nobody has to write so', async () => {
    const made = await scene.setting.createWatcher('idle', 'no-such-job', ['w']);
    expect(made.status).toEqual({ phase: 'PENDING' });
    await pause(3_000);
    const later = await scene.setting.watcher('idle');
    expect(later?.status).toEqual({ phase: 'PENDING' });
    expect(later?.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  it('the end of time on both levels', async () => {
    await scene.setting.createWebhook('w', { url: `${scene.receiver.url}/time` });
    await scene.setting.createWatcher('whole', 'slow', ['w'], { timeoutSeconds: 2 });
    await scene.setting.createWatcher('partly', 'slow', [], {
      webhooks: [
        { id: 'short', webhook: 'w', timeoutSeconds: 2 },
        { id: 'long', webhook: 'w' },
      ],
    });
    await scene.setting.createJob('slow');
    await eventually('TIMEOUT', async () => (await phase('whole')) === 'TIMEOUT');
    await eventually(
      'the first trigger',
      async () => (await scene.setting.watcher('partly'))?.status?.webhooks?.[0]?.status === 'TIMEOUT',
    );
    await scene.setting.finishJob('slow');
    await eventually('the second trigger', async () => (await phase('partly')) === 'PARTIALLY_COMPLETED');
    expect(at('/time')).toHaveLength(1);
    expect(await phase('whole')).toBe('TIMEOUT');
  });

  it('no webhook of it delivered: FAILED; none listed: COMPLETED', async () => {
    scene.receiver.behave(answerWith(410));
    await scene.setting.createWebhook('w', { url: `${scene.receiver.url}/never` });
    await scene.setting.createJob('x');
    await scene.setting.createWatcher('fails', 'x', ['w']);
    await scene.setting.createWatcher('unknown', 'x', ['no-such-webhook']);
    await scene.setting.createWatcher('none', 'x', []);
    await scene.setting.finishJob('x');
    await eventually('all final', async () => {
      const phases = await Promise.all(['fails', 'unknown', 'none'].map(phase));
      return phases.join() === 'FAILED,FAILED,COMPLETED';
    });
  });

  it('two watchers and an annotation for one webhook are one delivery', async () => {
    await scene.setting.createWebhook('w', { url: `${scene.receiver.url}/one` });
    await scene.setting.createJob('popular', { annotations: { 'hooks.krake.dev/on-job-done': 'w' } });
    await scene.setting.createWatcher('a', 'popular', ['w']);
    await scene.setting.createWatcher('b', 'popular', ['w']);
    await scene.setting.finishJob('popular');
    await eventually(
      'both COMPLETED',
      async () => (await phase('a')) === 'COMPLETED' && (await phase('b')) === 'COMPLETED',
    );
    expect(at('/one')).toHaveLength(1);
  });

  it('marks the Job when all is done', async () => {
    await scene.setting.createWebhook('w', { url: `${scene.receiver.url}/mark` });
    const uid = await scene.setting.createJob('marked', {
      annotations: { 'hooks.krake.dev/on-job-done': 'w' },
    });
    await scene.setting.finishJob('marked');
    await eventually('label and annotation', async () => {
      const { labels, annotations } = (await scene.setting.job('marked'))?.metadata ?? {};
      return (
        labels?.['app.k8s.job.webhooks/webhooks-called'] === 'true' &&
        annotations?.['hooks.krake.dev/webhooks-settled'] === `${uid}/complete`
      );
    });
  });
});

describe('kubectl', () => {
  const kubectl = (...args: string[]) => scene.setting.controlPlane.kubectl(['-n', NAMESPACE, ...args]);
  const apply = (kind: string, name: string, spec: object) =>
    scene.setting.controlPlane.kubectl(['apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'hooks.krake.dev/v1alpha1',
        kind,
        metadata: { name, namespace: NAMESPACE },
        spec,
      }),
    });

  it('makes and shows all that REST does: what leads where, and what has become of it', async () => {
    await apply('Webhook', 'w', { url: `${scene.receiver.url}/kubectl` });
    await apply('JobDoneWatcher', 'mine', { jobName: 'shown', webhooks: [{ id: '1', webhook: 'w' }] });
    await scene.setting.createJob('shown');
    await scene.setting.finishJob('shown');
    await eventually(
      'COMPLETED',
      async () => (await scene.setting.watcher('mine'))?.status?.phase === 'COMPLETED',
    );
    expect((await kubectl('get', 'kwh')).stdout).toContain('/kubectl');
    expect((await kubectl('get', 'jdw')).stdout).toMatch(/mine +shown +COMPLETED/);
    expect((await kubectl('get', 'whd')).stdout).toMatch(/jd-\w+ .*shown.*Delivered/);
    const { stdout } = await kubectl('get', 'jdw', '--field-selector=spec.jobName=shown', '-o', 'name');
    expect(stdout.trim()).toBe('jobdonewatcher.hooks.krake.dev/mine');
  });

  it.each<[string, string, object, RegExp]>([
    ['a url of another scheme', 'Webhook', { url: 'ftp://a.example/' }, /spec.url/],
    ['a url with a password', 'Webhook', { url: 'http://user:pw@a.example/' }, /spec.url/],
    ['a url without a host', 'Webhook', { url: 'http://' }, /spec.url/],
    ['a url with a blank', 'Webhook', { url: 'http://a b' }, /spec.url/],
    ['an event that there is not', 'Webhook', { url: 'http://a.example/', events: ['born'] }, /spec.events/],
    ['no name of a Job', 'JobDoneWatcher', { webhooks: [] }, /spec.jobName/],
    [
      'a time limit below zero',
      'JobDoneWatcher',
      { jobName: 'a', webhooks: [], timeoutSeconds: -1 },
      /timeoutSeconds/,
    ],
  ])('is told what is wrong: %s', async (_what, kind, spec, message) => {
    await expect(apply(kind, 'wrong', spec)).rejects.toThrow(message);
  });

  it('cannot change what a delivery says', async () => {
    await apply('Webhook', 'w', { url: `${scene.receiver.url}/fixed` });
    await scene.setting.createJob('fixed', { annotations: { 'hooks.krake.dev/on-job-done': 'w' } });
    await scene.setting.finishJob('fixed');
    const { metadata } = await scene.deliveryThat('Delivered', ({ status }) => status?.phase === 'Delivered');
    const change = kubectl(
      'patch',
      'whd',
      metadata.name,
      '--type=merge',
      '-p',
      '{"spec":{"event":{"type":"failed"}}}',
    );
    await expect(change).rejects.toThrow(/it is not changed/);
  });
});
