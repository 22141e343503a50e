import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  ANNOTATION_REDELIVER,
  WEBHOOK_DELIVERIES,
  WEBHOOKS,
  type WebhookDelivery,
} from '../../src/jobs/index.ts';
import { parseWebhookSecret, verifyWebhook } from '../../src/outbound/index.ts';
import {
  eventually,
  NAMESPACE,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';
import { answerWith, ok, startReceiver, type Behaviour, type Receiver } from './jobs-receiver.ts';

// Who is told of what, and what becomes of it, on a real API server and the process as it is deployed.

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

async function deliveryThat(
  what: string,
  check: (delivery: WebhookDelivery) => boolean,
): Promise<WebhookDelivery> {
  let found: WebhookDelivery | undefined;
  await eventually(what, async () => {
    found = (await setting.deliveries()).find(check);
    return found !== undefined;
  });
  if (found === undefined) throw new Error('not found');
  return found;
}

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

  it('the end of time on both levels; a restart does not forget it', async () => {
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

describe('what is sent', () => {
  it('is signed with every key of the Secret, as the Standard Webhooks want it', async () => {
    const secrets = [Buffer.alloc(32, 1), Buffer.alloc(24, 2)].map(
      (bytes) => `whsec_${bytes.toString('base64')}`,
    );
    await setting.controlPlane.kubectl([
      '-n',
      NAMESPACE,
      'create',
      'secret',
      'generic',
      'krake-hooks-webhooks',
      `--from-literal=new=${secrets[0] ?? ''}`,
      `--from-literal=old=${secrets[1] ?? ''}`,
    ]);
    const secretRefs = ['new', 'old'].map((key) => ({ name: 'krake-hooks-webhooks', key }));
    await setting.createWebhook('signed', { url: `${receiver.url}/signed`, secretRefs });
    await setting.createJob('signed', { annotations: { 'hooks.krake.dev/on-job-done': 'signed' } });
    await setting.finishJob('signed');
    await came('/signed');
    const [request] = at('/signed');
    for (const secret of secrets) {
      const parsed = parseWebhookSecret(secret);
      if (parsed.kind !== 'key' || request === undefined) throw new Error('no key');
      const verdict = verifyWebhook({
        headers: request.headers as Record<string, string>,
        body: request.body,
        keys: [parsed.key],
        nowSeconds: Math.floor(Date.now() / 1_000),
      });
      expect(verdict).toEqual({ valid: true });
    }
    // Nothing of the keys is anywhere else.
    const everything = JSON.stringify([await setting.deliveries(), replica.output()]);
    for (const secret of secrets) expect(everything).not.toContain(secret.slice(6, 20));
  });

  it('not without its key; another Secret is not read', async () => {
    await setting.createWebhook('keyless', {
      url: `${receiver.url}/keyless`,
      secretRefs: [{ name: 'somebody-elses', key: 'a' }],
    });
    await setting.createJob('keyless', { annotations: { 'hooks.krake.dev/on-job-done': 'keyless' } });
    await setting.finishJob('keyless');
    const { status } = await deliveryThat(
      'a failed attempt',
      (delivery) => delivery.status?.attempts !== undefined,
    );
    expect(status?.log?.[0]?.error).toMatch(/may not be read/);
    expect(at('/keyless')).toHaveLength(0);
  });
});

describe('what becomes of it', () => {
  let n = 0;
  async function oneDelivery(behaviour: Behaviour, spec: object = {}): Promise<string> {
    n += 1;
    const name = `case-${n}`;
    receiver.behave(behaviour);
    await setting.createWebhook(name, { url: `${receiver.url}/${name}`, ...spec });
    await setting.createJob(name, { annotations: { 'hooks.krake.dev/on-job-done': name } });
    await setting.finishJob(name);
    await came(`/${name}`);
    return name;
  }
  const ended = (phase: string) => deliveryThat(phase, ({ status }) => status?.phase === phase);

  it.each([500, 502, 429, 408])('%i is tried again until it is taken, under one id', async (status) => {
    const path = `/${await oneDelivery(answerWith(status))}`;
    await came(path, 2);
    receiver.behave(ok);
    const delivery = await ended('Delivered');
    expect(new Set(at(path).map(({ id }) => id))).toEqual(new Set([delivery.metadata.name]));
    expect(delivery.status?.log?.[0]).toMatchObject({ number: 1, status });
  });

  it.each([301, 400, 401, 403, 404])('%i is tried a few times, then it is a dead letter', async (status) => {
    const path = `/${await oneDelivery(answerWith(status, { location: `${receiver.url}/elsewhere` }))}`;
    const delivery = await ended('DeadLetter');
    expect(delivery.status).toMatchObject({ reason: 'Refused', attempts: 5 });
    expect(at(path)).toHaveLength(5);
    expect(at('/elsewhere')).toHaveLength(0);
  });

  it('410 disables the endpoint until its spec is changed; redelivered it comes under its id', async () => {
    const name = await oneDelivery(answerWith(410));
    const delivery = await ended('DeadLetter');
    expect(delivery.status?.reason).toBe('EndpointGone');
    const read = () =>
      setting.admin.get<{ metadata: object; status?: { disabled?: { reason: string } } }>({
        resource: WEBHOOKS,
        namespace: NAMESPACE,
        name,
      });
    await eventually('disabled', async () => (await read())?.status?.disabled?.reason === 'Gone');
    receiver.behave(ok);
    await setting.admin.patch(
      { resource: WEBHOOKS, namespace: NAMESPACE, name },
      { type: 'merge', body: { spec: { url: `${receiver.url}/moved` } } },
    );
    await setting.admin.patch(
      { resource: WEBHOOK_DELIVERIES, namespace: NAMESPACE, name: delivery.metadata.name },
      {
        type: 'merge',
        body: { metadata: { annotations: { [ANNOTATION_REDELIVER]: new Date().toISOString() } } },
      },
    );
    await came('/moved');
    expect(at('/moved')[0]?.id).toBe(delivery.metadata.name);
    await eventually('Delivered', async () => (await setting.deliveries())[0]?.status?.phase === 'Delivered');
  });

  it('Retry-After is waited for', async () => {
    const path = `/${await oneDelivery(answerWith(429, { 'retry-after': '2' }))}`;
    receiver.behave(ok);
    await ended('Delivered');
    const [first, second] = at(path);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(1_900);
  });

  it('a dead letter is told by Events on Job and Webhook', async () => {
    await oneDelivery(answerWith(410));
    await ended('DeadLetter');
    await eventually('both Events', async () => {
      const { stdout } = await setting.controlPlane.kubectl([
        '-n',
        NAMESPACE,
        'get',
        'events',
        '-o',
        'jsonpath={range .items[*]}{.reason}/{.involvedObject.kind}{"\\n"}{end}',
      ]);
      return ['WebhookDeadLetter/Job', 'DeadLetter/Webhook', 'EndpointDisabled/Webhook'].every((line) =>
        stdout.includes(line),
      );
    });
  });

  it('too old to be tried again it is a dead letter', async () => {
    await oneDelivery(answerWith(503), { maxAgeSeconds: 2 });
    expect((await ended('DeadLetter')).status?.reason).toBe('TooOld');
  });

  it('a webhook that is deleted cancels what waits for it', async () => {
    const name = await oneDelivery(answerWith(503));
    await setting.controlPlane.kubectl(['-n', NAMESPACE, 'delete', 'webhooks.hooks.krake.dev', name]);
    expect((await ended('Cancelled')).status?.reason).toBe('WebhookDeleted');
  });
});
