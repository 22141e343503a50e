import { describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { WEBHOOKS, type Webhook } from '../../src/jobs/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { answerWith, ok } from './jobs-receiver.ts';
import { useJobsScene } from './jobs-scene.ts';
import { eventually, NAMESPACE } from './jobs-setting.ts';

// The commands as processes of their own, against the part as it is deployed, on a real API server.

jest.setTimeout(300_000);
const main = join(import.meta.dirname, '../../src/cli/main.ts');
const CANARY = 'canary-3e1a';
/** 24 bytes. */
const KEY = `whsec_${Buffer.from('0123456789abcdefghijklmn').toString('base64')}`;
const scene = useJobsScene({
  'jobs.maxRefusals': '1',
  // An endpoint that fails is spared for so long that a test sees who does not wait for it.
  'jobs.breakerFailures': '2',
  'jobs.breakerOpen': '60s',
});

interface Ended {
  readonly code: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

const krakeHooks = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const flags = ['--kubeconfig', scene.setting.controlPlane.kubeconfig];
    execFile(process.execPath, [main, ...args, '-n', NAMESPACE, ...flags], (error, out, err) => {
      resolve({ code: error === null ? 0 : error.code, out, err });
    });
  });
const at = (path: string) => scene.receiver.received.filter((request) => request.path.startsWith(path));

/** Jobs that ended while their endpoint refused what it was told: dead letters. */
async function deadLetters(webhook: string, ...jobs: readonly string[]): Promise<readonly string[]> {
  scene.receiver.behave(answerWith(401));
  await scene.setting.createWebhook(webhook, { url: `${scene.receiver.url}/${webhook}` });
  for (const job of jobs) {
    await scene.setting.createJob(job, { annotations: { 'hooks.krake.dev/on-job-done': webhook } });
    await scene.setting.finishJob(job, 'failed');
  }
  const dead = async () =>
    (await scene.setting.deliveries()).filter(
      ({ spec, status }) => spec.webhook.name === webhook && status?.phase === 'DeadLetter',
    );
  await eventually('the dead letters', async () => (await dead()).length === jobs.length);
  scene.receiver.behave(ok);
  return (await dead()).map(({ metadata }) => metadata.name);
}

describe('krake-hooks webhooks', () => {
  it('lists and shows them, without what is secret', async () => {
    await scene.setting.createWebhook('audit', {
      url: `http://127.0.0.1:1/audit?token=${CANARY}`,
      format: 'verbatim',
      requestBody: CANARY,
    });
    const list = await krakeHooks('webhooks', 'list');
    expect(list).toMatchObject({ code: 0, err: '' });
    const [head, row] = list.out.split('\n');
    expect(head).toMatch(/^NAME +URL +FORMAT +EVENTS +STATE +DELIVERED +AGE$/);
    expect(row).toMatch(/^audit +http:\/\/127\.0\.0\.1:1\/audit\?… +verbatim +complete,failed +Ready +\d+s$/);
    const show = await krakeHooks('webhook', 'show', 'audit');
    expect(show.out).toContain(`body:        ${CANARY.length} bytes`);
    expect(list.out + show.out).not.toContain(CANARY);
    expect((await krakeHooks('webhooks', 'list', '-A')).out).toMatch(/^NAMESPACE .*\nshop +audit /);
    const test = await krakeHooks('webhooks', 'test', 'audit');
    expect(test).toMatchObject({ code: 1, out: '' });
    expect(test.err).toContain('krake-hooks webhooks test audit -n shop --real-body');
    expect(test.err).not.toContain(CANARY);
  });

  it('test sends one signed event and says what came of it; a failed one is withdrawn', async () => {
    await scene.setting.controlPlane.kubectl([
      ...[
        '-n',
        NAMESPACE,
        'create',
        'secret',
        'generic',
        'krake-hooks-webhooks',
        `--from-literal=audit=${KEY}`,
      ],
    ]);
    const secretRefs = [{ name: 'krake-hooks-webhooks', key: 'audit' }];
    await scene.setting.createWebhook('audit', { url: `${scene.receiver.url}/test`, secretRefs });
    const { code, out } = await krakeHooks('webhooks', 'test', 'audit');
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain('delivered: HTTP 200');
    expect(out).not.toContain(KEY);
    expect(at('/test')).toHaveLength(1);
    expect(JSON.parse(at('/test')[0]?.body ?? '')).toMatchObject({ type: 'dev.krake.hooks.job.test' });
    expect(at('/test')[0]?.headers['webhook-signature']).toMatch(/^v1,/);

    await scene.receiver.down();
    const down = await krakeHooks('webhooks', 'test', 'audit');
    await scene.receiver.up();
    expect(down.code).toBe(1);
    expect(down.out).toMatch(/failed: .*\n *the test event is withdrawn/);
    expect((await scene.setting.deliveries()).map(({ status }) => status?.phase)).toEqual(['Delivered']);
  });

  it('enable goes on with an endpoint that had said 410', async () => {
    scene.receiver.behave(answerWith(410));
    await scene.setting.createWebhook('left', { url: `${scene.receiver.url}/left` });
    expect((await krakeHooks('webhooks', 'test', 'left')).out).toContain(
      'DeadLetter: EndpointGone: HTTP 410',
    );
    scene.receiver.behave(ok);
    await eventually('it to be disabled', async () =>
      (await krakeHooks('webhooks', 'list')).out.includes('Disabled'),
    );
    const refused = await krakeHooks('webhooks', 'test', 'left');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('first: krake-hooks webhooks enable left -n shop');
    expect(await krakeHooks('webhooks', 'enable', 'left')).toMatchObject({ code: 0 });
    // What kubectl shows is the status as it stands.
    await eventually('its status to say so', async () => {
      const ref = { resource: WEBHOOKS, namespace: NAMESPACE, name: 'left' };
      const left = await scene.setting.admin.get<KubeObject & Pick<Webhook, 'status'>>(ref);
      return left !== undefined && left.status?.disabled === undefined;
    });
    expect(await krakeHooks('webhooks', 'test', 'left')).toMatchObject({ code: 0 });
  });
});

describe('krake-hooks deliveries', () => {
  it('redeliver sends one again, with the same id, and says what came of it', async () => {
    const [name = ''] = await deadLetters('one', 'train');
    const list = await krakeHooks('deliveries', 'list', '--job', 'train');
    expect(list.out).toMatch(
      new RegExp(`\\n${name} +train +failed +one +DeadLetter +1 +Refused: HTTP 401 +\\d+s\\n$`),
    );
    const { code, out } = await krakeHooks('deliveries', 'redeliver', name);
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain(`${name}: delivered: HTTP 200`);
    expect(at('/one').map(({ id }) => id)).toEqual([name, name]);
    const show = await krakeHooks('deliveries', 'show', name);
    expect(show.out).toMatch(/\n1 +\S+ +\d+ms +HTTP 401 +no\n2 +\S+ +\d+ms +HTTP 200/);
  });

  it('redeliver, and a test, reach at once what was spared after failures and works again', async () => {
    scene.receiver.behave(answerWith(503));
    await scene.setting.createWebhook('spared', { url: `${scene.receiver.url}/spared` });
    for (const job of ['x', 'y']) {
      await scene.setting.createJob(job, { annotations: { 'hooks.krake.dev/on-job-done': 'spared' } });
      await scene.setting.finishJob(job);
    }
    // Two failures open the breaker, be they of both or of one that was tried again before the other was there.
    await eventually('both to be there, and two failures', async () => {
      const all = await scene.setting.deliveries();
      return all.length === 2 && all.reduce((sum, { status }) => sum + (status?.attempts ?? 0), 0) >= 2;
    });
    const tried = (await scene.setting.deliveries()).filter(({ status }) => status?.attempts !== undefined);
    const [name = ''] = tried.map(({ metadata }) => metadata.name);
    const failed = await krakeHooks('webhooks', 'test', 'spared');
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.out).toContain('HTTP 503');
    scene.receiver.behave(ok);
    const { code, out } = await krakeHooks('deliveries', 'redeliver', name);
    expect({ code, out }).toMatchObject({ code: 0 });
    // It works: what had waited with it goes as well.
    await eventually('the other', async () =>
      (await scene.setting.deliveries()).every(({ status }) => status?.phase === 'Delivered'),
    );
  });

  it('redeliver --failed-since sends all that failed since then, each once, and no other', async () => {
    const names = await deadLetters('many', 'a', 'b', 'c');
    await deadLetters('other', 'd');
    scene.receiver.behave(ok);
    const future = new Date(Date.now() + 3_600_000).toISOString();
    const none = await krakeHooks('deliveries', 'redeliver', '--failed-since', future);
    expect(none).toMatchObject({ code: 0, out: 'no delivery has failed since then\n' });
    const args = ['--failed-since', '1h', '--webhook', 'many'];
    const { code, out } = await krakeHooks('deliveries', 'redeliver', ...args);
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain('asked for 3 of 3');
    const counts = scene.receiver.ids();
    for (const name of names) expect(counts.get(name)).toBe(2);
    expect(at('/other')).toHaveLength(1);
    const left = await krakeHooks('deliveries', 'list', '--failed-since', '1h');
    expect(left.out.trim().split('\n')).toHaveLength(2);
  });

  it('redeliver tells of a failure, and of a name that nobody has', async () => {
    const [name = ''] = await deadLetters('still', 'job');
    scene.receiver.behave(answerWith(403));
    const again = await krakeHooks('deliveries', 'redeliver', name);
    expect(again).toMatchObject({ code: 1 });
    expect(again.out).toContain(`${name}: DeadLetter: Refused: HTTP 403`);
    const absent = await krakeHooks('deliveries', 'redeliver', 'jd-nothing');
    expect(absent.code).toBe(1);
    expect(absent.err).toContain('there is no WebhookDelivery "jd-nothing" in namespace shop');
  });
});

describe('krake-hooks watchers', () => {
  it('lists by status and Job, and shows what became of each webhook', async () => {
    await scene.setting.createWebhook('audit', { url: `${scene.receiver.url}/watched` });
    await scene.setting.createWatcher('w-done', 'done', ['audit']);
    await scene.setting.createWatcher('w-waits', 'never', ['audit']);
    await scene.setting.createJob('done');
    await scene.setting.finishJob('done');
    await eventually(
      'the end',
      async () => (await scene.setting.watcher('w-done'))?.status?.phase === 'COMPLETED',
    );
    const done = await krakeHooks('watchers', 'list', '--status', 'COMPLETED');
    expect(done.out).toMatch(/^NAME .*\nw-done +done +COMPLETED +1\/1 +\d+s +\d+s\n$/);
    const waits = await krakeHooks('watchers', 'list', '--job', 'never');
    expect(waits.out).toMatch(/\nw-waits +never +PENDING +0\/1 +\d+s\n$/);
    const { out } = await krakeHooks('watchers', 'show', 'w-done');
    expect(out).toMatch(/\naudit +CALLED +none +\S+Z +jd-[0-9a-f]+\n$/);
    const none = await krakeHooks('watchers', 'list', '--status', 'TIMEOUT');
    expect(none.out).toBe('no JobDoneWatchers found in namespace shop\n');
  });
});
