import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createClientCa, startTlsReplica, type TlsReplica } from './callbacks-certificates.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  AUDIENCE,
  createPodScene,
  readStatus,
  waitUntilBound,
  type PodScene,
  type TestPod,
} from './callbacks-pods.ts';
import { startCallbacksSetting, waitUntilKnown, type CallbacksSetting } from './callbacks-setting.ts';

jest.setTimeout(300_000);
let setting: CallbacksSetting;
let scene: PodScene;
let replica: TlsReplica;

beforeAll(async () => {
  setting = await startCallbacksSetting();
  scene = createPodScene(setting);
  const ca = await createClientCa();
  await ca.publish(setting.admin);
  // Required of a token, and yet a pod needs no certificate.
  replica = await startTlsReplica(setting, { clientCertificate: 'required' });
}, 600_000);
afterAll(async () => {
  await replica.stop();
  await setting.stop();
}, 60_000);

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

async function deploy(name: string, replicas: number, spec?: object): Promise<readonly TestPod[]> {
  const pods = await scene.deploy(name, replicas, spec);
  await waitUntilBound(replica, name);
  return pods;
}

async function answerTo(name: string, token: string, body: string | object = ''): Promise<string> {
  const answer = await replica.send(name, 'complete', { body, headers: bearer(token) });
  return `${answer.status} ${replica.lastReason()}`;
}

function first(pods: readonly TestPod[]): TestPod {
  const [pod] = pods;
  if (pod === undefined) throw new Error('no pod');
  return pod;
}

describe('the identity of a pod, on a real API server', () => {
  it('is taken without a body and without a certificate, and stands in the status and the log', async () => {
    const pod = first(await deploy('proven', 1));
    expect(await answerTo('proven', pod.token)).toBe('200 stored');
    expect(await answerTo('proven', pod.token, {})).toBe('200 already-stored');
    const status = await readStatus(setting, 'proven');
    const { name, uid } = pod;
    expect(status?.signals?.complete).toMatchObject({ provenBy: 'pod-identity', pod: { name, uid } });
    const { fields } = replica.logger.lines.findLast(({ message }) => message === 'callback answered') ?? {};
    expect(fields).toMatchObject({ proof: 'pod-identity', pod: name, podUid: uid });
    expect(fields?.credentialId).toMatch(/^JTI=/);
    expect(JSON.stringify(replica.logger.lines)).not.toContain(pod.token);
  });

  it('is asked about once for several requests', async () => {
    const pod = first(await deploy('cached', 1));
    const before = replica.metrics.reviews.length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => answerTo('cached', pod.token)));
    expect(answers.filter((answer) => answer.startsWith('200'))).toHaveLength(20);
    expect(replica.metrics.reviews.slice(before)).toEqual(['authenticated']);
  });

  it('has one spelling: another one of the same signature is refused without a question', async () => {
    const pod = first(await deploy('spelled', 1));
    const before = replica.metrics.reviews.length;
    const [body, signature = ''] = [pod.token.slice(0, -1), pod.token.split('.')[2]];
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const bytes = (text: string) => Buffer.from(text, 'base64url').toString('hex');
    const spellings = [...digits]
      .map((digit) => `${body}${digit}`)
      .filter((token) => token !== pod.token && bytes(token.split('.')[2] ?? '') === bytes(signature));
    expect(spellings.length).toBeGreaterThan(0);
    for (const token of spellings) expect(await answerTo('spelled', token)).toBe('401 identity-malformed');
    expect(await answerTo('spelled', pod.token)).toBe('200 stored');
    expect(replica.metrics.reviews.slice(before)).toEqual(['authenticated']);
  });

  it('of another application is 403, whatever its label says', async () => {
    const pod = first(await deploy('aimed-at', 1));
    const other = first(await deploy('elsewhere', 1));
    const forger = await scene.barePod('forger', 'aimed-at');
    expect(await answerTo('aimed-at', other.token)).toBe('403 pod-of-another-application');
    expect(await answerTo('aimed-at', forger.token)).toBe('403 pod-of-another-application');
    expect((await readStatus(setting, 'aimed-at'))?.signals).toEqual({});
    expect(await answerTo('aimed-at', pod.token)).toBe('200 stored');
  });

  it('for another audience, of a pod that is gone, forged, of no pod: 401', async () => {
    const pods = await deploy('refused', 1);
    const pod = first(pods);
    expect(await answerTo('refused', await scene.token(pod, { audience: 'elsewhere' }))).toBe(
      '401 identity-for-another-audience',
    );
    const unbound = await setting.controlPlane.kubectl([
      ...['-n', 'shop', 'create', 'token', 'default', '--audience=hooks.krake.dev'],
    ]);
    expect(await answerTo('refused', unbound.stdout.trim())).toBe('401 identity-of-no-pod');
    const [head, payload] = pod.token.split('.');
    expect(await answerTo('refused', `${head}.${payload}.${'A'.repeat(342)}`)).toBe('401 identity-forged');
    expect(await answerTo('refused', 'no-token')).toBe('401 identity-malformed');
    await setting.controlPlane.kubectl([
      '-n',
      'shop',
      'delete',
      'pod',
      pod.name,
      '--force',
      '--grace-period=0',
    ]);
    expect(await answerTo('refused', pod.token)).toMatch(/^401 identity-(refused|of-a-gone-pod)$/);
  });

  it('says goodbye also when its service account went first, as with their namespace; that and no more, and while it is there', async () => {
    const pod = first(await deploy('outlived', 1));
    await setting.controlPlane.kubectl(['-n', 'shop', 'delete', 'serviceaccount', 'default']);
    await waitFor('the API server not to know its token any more', async () => {
      const review = { apiVersion: 'authentication.k8s.io/v1', plural: 'tokenreviews' };
      const spec = { token: pod.token, audiences: [AUDIENCE] };
      const { status } = (await setting.admin.create(review, undefined, { spec })) as {
        status?: { authenticated?: boolean };
      };
      return status?.authenticated === true ? undefined : true;
    });
    expect(await answerTo('outlived', pod.token)).toBe('401 identity-refused');
    const headers = { Authorization: `Bearer ${pod.token}` };
    const goodbye = async () => {
      const { status } = await replica.send('outlived', 'shutdown', { headers });
      return `${status} ${replica.lastReason()}`;
    };
    expect(await goodbye()).toMatch(/^200 /);
    expect((await readStatus(setting, 'outlived'))?.signals).toMatchObject({
      shutdown: { provenBy: 'pod-identity', pod: { name: pod.name, uid: pod.uid } },
    });
    const stop = ['delete', 'pod', pod.name, '--force', '--grace-period=0'];
    await setting.controlPlane.kubectl(['-n', 'shop', ...stop]);
    await waitFor('its end to be seen', async () =>
      (await goodbye()) === '401 identity-of-a-gone-pod' ? true : undefined,
    );
  });

  it('and a token do not stand in for each other', async () => {
    const pod = first(await deploy('by-identity', 1));
    const token = await setting.createApplication('by-token');
    await waitUntilKnown(replica, 'by-token', token);
    expect(await answerTo('by-token', pod.token)).toBe('401 identity-where-token-is-asked');
    const answer = await replica.send('by-identity', 'complete', { body: { token } });
    expect(`${answer.status} ${replica.lastReason()}`).toBe('401 token-where-identity-is-asked');
  });

  it('of a pod whose workload is no part of the application any more is not stored', async () => {
    const pod = first(await deploy('left', 1));
    const { APPLICATIONS } = await import('../../src/applications/index.ts');
    await setting.admin.patch(
      { resource: APPLICATIONS, namespace: 'shop', name: 'left', subresource: 'status' },
      { type: 'merge', body: { status: { workloads: [] } } },
    );
    expect(await answerTo('left', pod.token)).toMatch(/^(403 pod-of-another-application|401 token-void)$/);
    expect((await readStatus(setting, 'left'))?.signals).toEqual({});
  });
});

describe('complete-when all', () => {
  it('counts each pod once, by its UID, and leaves the rest to the controller', async () => {
    const pods = await deploy('counted', 5, { completeWhen: 'all' });
    const answers = await Promise.all(pods.map(({ token }) => answerTo('counted', token)));
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(Array<string>(5).fill('200'));
    const before = (await readStatus(setting, 'counted'))?.signals;
    expect(before?.complete).toBeUndefined();
    expect(Object.keys(before?.completeFrom ?? {}).sort()).toEqual(pods.map(({ uid }) => uid).sort());
    const pod = first(pods);
    expect(before?.completeFrom?.[pod.uid]).toMatchObject({
      provenBy: 'pod-identity',
      pod: { name: pod.name, uid: pod.uid },
    });
    const again = await replica.send('counted', 'complete', { headers: bearer(pod.token) });
    expect(JSON.parse(again.text)).toMatchObject({
      pod: pod.name,
      receivedAt: before?.completeFrom?.[pod.uid]?.receivedAt,
    });
    expect((await readStatus(setting, 'counted'))?.signals).toEqual(before);
  });
});

describe('a goodbye of a proven pod', () => {
  const conversationOf = (pods: readonly TestPod[]) => ({
    sequence: 1,
    going: {},
    conversations: [
      {
        id: 'c1',
        scope: 'pods' as const,
        form: 'pod' as const,
        reason: 'deletion' as const,
        startedAt: new Date().toISOString(),
        roundStartedAt: new Date().toISOString(),
        deadline: new Date(Date.now() + 60_000).toISOString(),
        round: 1,
        needed: pods.length,
        // All seem to have the address that the test sends from.
        pods: pods.map(({ name, uid }) => ({ name, uid, address: '127.0.0.1' })),
      },
    ],
  });

  it('is its own, whatever the address; naming another is 403', async () => {
    const pods = await deploy('asked', 2, { shutdown: { service: 'pod:8080' } });
    const [one, two] = pods;
    if (one === undefined || two === undefined) throw new Error('two pods');
    await setting.writeShutdown('asked', conversationOf(pods));
    const say = (pod: TestPod, body: object) =>
      replica.send('asked', 'shutdown', { body, headers: bearer(pod.token) });
    const wrong = await say(one, { pod: two.name });
    expect([wrong.status, replica.lastReason()]).toEqual([403, 'pod-of-another-name']);
    const right = await say(two, {});
    expect([right.status, JSON.parse(right.text)]).toMatchObject([
      200,
      { conversation: 'c1', pod: two.name },
    ]);
    const conversation = (await readStatus(setting, 'asked'))?.shutdown?.conversations[0];
    expect(conversation?.pods.map(({ confirmation }) => confirmation?.provenBy)).toEqual(
      pods.map((pod) => (pod === two ? 'pod-identity' : undefined)),
    );
  });

  it('nobody has asked: it is kept by the UID of each pod, though both come from one address', async () => {
    const pods = await deploy('early', 2, { shutdown: { service: 'pod:8080' } });
    await setting.writeShutdown('early', { sequence: 0, going: {}, conversations: [] });
    const say = async (pod: TestPod) => {
      const { status } = await replica.send('early', 'shutdown', { body: {}, headers: bearer(pod.token) });
      return `${status} ${replica.lastReason()}`;
    };
    for (const pod of pods) expect(await say(pod)).toBe('200 stored');
    for (const pod of pods) expect(await say(pod)).toBe('200 already-stored');
    const stored = (await readStatus(setting, 'early'))?.signals?.shutdownFrom;
    expect(stored).toEqual(
      Object.fromEntries(
        pods.map(({ name, uid }) => [
          uid,
          expect.objectContaining({ provenBy: 'pod-identity', pod: { name, uid } }),
        ]),
      ),
    );
  });
});
