import { describe, expect, it, jest } from '@jest/globals';
import { ANNOTATION_REDELIVER, WEBHOOK_DELIVERIES, WEBHOOKS } from '../../src/jobs/index.ts';
import { parseWebhookSecret, verifyWebhook } from '../../src/outbound/index.ts';
import { verifyOfficially } from '../tools/official-verifier.ts';
import { ensurePythonTools } from '../tools/python-tools.ts';
import { answerWith, ok, type Behaviour } from './jobs-receiver.ts';
import { useJobsScene } from './jobs-scene.ts';
import { eventually, NAMESPACE } from './jobs-setting.ts';

// What is sent, and what becomes of it, by what the receiver answers; on a real API server and the process as it is deployed.

jest.setTimeout(300_000);
// Without them the unit tests say loudly what is skipped.
const tools = await ensurePythonTools();
const scene = useJobsScene({ 'jobs.retryAfterCeiling': '1h' });

const { at, came, deliveryThat } = scene;

describe('what is sent', () => {
  it('is signed with every key of the Secret, as the Standard Webhooks want it', async () => {
    const secrets = [Buffer.alloc(32, 1), Buffer.alloc(24, 2)].map(
      (bytes) => `whsec_${bytes.toString('base64')}`,
    );
    await scene.setting.controlPlane.kubectl([
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
    await scene.setting.createWebhook('signed', { url: `${scene.receiver.url}/signed`, secretRefs });
    await scene.setting.createJob('signed', { annotations: { 'hooks.krake.dev/on-job-done': 'signed' } });
    await scene.setting.finishJob('signed');
    await came('/signed');
    const [request] = at('/signed');
    if (request === undefined) throw new Error('nothing came');
    const headers = request.headers as Record<string, string>;
    for (const secret of secrets) {
      const parsed = parseWebhookSecret(secret);
      if (parsed.kind !== 'key') throw new Error('no key');
      const nowSeconds = Math.floor(Date.now() / 1_000);
      const verdict = verifyWebhook({ headers, body: request.body, keys: [parsed.key], nowSeconds });
      expect(verdict).toEqual({ valid: true });
    }
    if (tools !== undefined) {
      const official = secrets.map((secret) => ({ secret, headers, body: request.body }));
      expect(await verifyOfficially(tools, official)).toEqual(['ok', 'ok']);
    }
    // Nothing of the keys is anywhere else.
    const everything = JSON.stringify([await scene.setting.deliveries(), scene.replica.output()]);
    for (const secret of secrets) expect(everything).not.toContain(secret.slice(6, 20));
  });

  it('not without its key; another Secret is not read', async () => {
    await scene.setting.createWebhook('keyless', {
      url: `${scene.receiver.url}/keyless`,
      secretRefs: [{ name: 'somebody-elses', key: 'a' }],
    });
    await scene.setting.createJob('keyless', { annotations: { 'hooks.krake.dev/on-job-done': 'keyless' } });
    await scene.setting.finishJob('keyless');
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
    scene.receiver.behave(behaviour);
    await scene.setting.createWebhook(name, { url: `${scene.receiver.url}/${name}`, ...spec });
    await scene.setting.createJob(name, { annotations: { 'hooks.krake.dev/on-job-done': name } });
    await scene.setting.finishJob(name);
    await came(`/${name}`);
    return name;
  }
  const ended = (phase: string) => deliveryThat(phase, ({ status }) => status?.phase === phase);

  it.each([500, 502, 429, 408])('%i is tried again until it is taken, under one id', async (status) => {
    const path = `/${await oneDelivery(answerWith(status))}`;
    await came(path, 2);
    scene.receiver.behave(ok);
    const delivery = await ended('Delivered');
    expect(new Set(at(path).map(({ id }) => id))).toEqual(new Set([delivery.metadata.name]));
    // The log keeps the newest ten.
    const [first] = delivery.status?.log ?? [];
    expect(first).toMatchObject({ status });
    if ((delivery.status?.attempts ?? 0) <= 10) expect(first?.number).toBe(1);
  });

  it.each([301, 400, 401, 403, 404])('%i is tried a few times, then it is a dead letter', async (status) => {
    const path = `/${await oneDelivery(answerWith(status, { location: `${scene.receiver.url}/elsewhere` }))}`;
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
      scene.setting.admin.get<{ metadata: object; status?: { disabled?: { reason: string } } }>({
        resource: WEBHOOKS,
        namespace: NAMESPACE,
        name,
      });
    await eventually('disabled', async () => (await read())?.status?.disabled?.reason === 'Gone');
    scene.receiver.behave(ok);
    const url = `${scene.receiver.url}/moved`;
    const { metadata } = await scene.setting.admin.patch(
      { resource: WEBHOOKS, namespace: NAMESPACE, name },
      { type: 'merge', body: { spec: { url } } },
    );
    // Until its watch has brought it, the service may still call the former URL.
    await eventually('it to be known', async () => {
      const response = await fetch(`${scene.replica.baseUrl}/webhooks/${metadata.uid}`);
      return ((await response.json()) as { url?: string }).url === url;
    });
    await scene.setting.admin.patch(
      { resource: WEBHOOK_DELIVERIES, namespace: NAMESPACE, name: delivery.metadata.name },
      {
        type: 'merge',
        body: { metadata: { annotations: { [ANNOTATION_REDELIVER]: new Date().toISOString() } } },
      },
    );
    await came('/moved');
    expect(at('/moved')[0]?.id).toBe(delivery.metadata.name);
    await eventually(
      'Delivered',
      async () => (await scene.setting.deliveries())[0]?.status?.phase === 'Delivered',
    );
  });

  it('Retry-After is waited for', async () => {
    const path = `/${await oneDelivery(answerWith(429, { 'retry-after': '2' }))}`;
    scene.receiver.behave(ok);
    await ended('Delivered');
    const [first, second] = at(path);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(1_900);
  });

  it('a dead letter is told by Events on Job and Webhook', async () => {
    const name = await oneDelivery(answerWith(410));
    await ended('DeadLetter');
    await eventually('all Events', async () => {
      const { stdout } = await scene.setting.controlPlane.kubectl([
        '-n',
        NAMESPACE,
        'get',
        'events',
        '-o',
        'jsonpath={range .items[*]}{.reason}/{.involvedObject.kind}/{.involvedObject.name}{"\\n"}{end}',
      ]);
      return ['WebhookDeadLetter/Job', 'DeadLetter/Webhook', 'EndpointDisabled/Webhook'].every((line) =>
        stdout.split('\n').includes(`${line}/${name}`),
      );
    });
  });

  it('too old to be tried again it is a dead letter', async () => {
    await oneDelivery(answerWith(503), { maxAgeSeconds: 2 });
    expect((await ended('DeadLetter')).status?.reason).toBe('TooOld');
  });

  it('a webhook that is deleted cancels what waits for it, however long that was to be', async () => {
    const name = await oneDelivery(answerWith(503, { 'retry-after': '3600' }));
    await deliveryThat('the time of the next attempt', ({ status }) => status?.nextAttemptAt !== undefined);
    await scene.setting.controlPlane.kubectl(['-n', NAMESPACE, 'delete', 'webhooks.hooks.krake.dev', name]);
    expect((await ended('Cancelled')).status?.reason).toBe('WebhookDeleted');
  });
});
