import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { KnownConversation } from '../../../src/callbacks/index.ts';
import { createListeners } from '../http/listener-setting.ts';
import { BLANK, sha256, startRouter, TOKEN, WEB, type RouterSetting } from './router-setting.ts';

const listeners = createListeners();
let setting: RouterSetting;
beforeEach(async () => {
  setting = await startRouter(listeners);
});
afterAll(() => listeners.stopAll());

const shutdown = `${WEB}/shutdown`;
const CONVERSATION: KnownConversation = {
  id: 'c',
  form: 'service',
  deadline: '2031-01-01T00:00:00Z',
  outcome: undefined,
  endedAt: undefined,
  confirmedAt: undefined,
  podUids: [],
  pods: [],
};

describe('a goodbye', () => {
  it('takes pod, conversation and address along', async () => {
    const body = { token: TOKEN, pod: 'web-0', conversation: 'web-1', reason: ['ignored'] };
    const response = await setting.put(shutdown, body);
    expect([response.status, await response.json()]).toEqual([
      200,
      { namespace: 'shop', application: 'web', hook: 'shutdown', receivedAt: '2030-01-01T00:00:00.000Z' },
    ]);
    expect(setting.goodbyes).toMatchObject([
      {
        namespace: 'shop',
        name: 'web',
        application: { uid: 'uid-web' },
        grounds: { by: 'token', tokenSha256: sha256(TOKEN) },
        sender: { pod: 'web-0', conversation: 'web-1', address: '127.0.0.1' },
        value: { receivedAt: '2030-01-01T00:00:00.000Z', provenBy: 'token' },
      },
    ]);
    expect(setting.stored).toEqual([]);
  });

  it('is answered with what it confirmed', async () => {
    setting.answerGoodbye = () =>
      Promise.resolve({ kind: 'stored', receivedAt: 't', already: true, conversation: 'c', pod: 'p' });
    const response = await setting.put(shutdown, { token: TOKEN });
    expect(await response.text()).toBe(
      '{"namespace":"shop","application":"web","hook":"shutdown","receivedAt":"t","conversation":"c","pod":"p"}',
    );
    expect(setting.metrics.answers).toEqual([{ hook: 'shutdown', status: 200, reason: 'already-stored' }]);
    expect(setting.metrics.stores).toEqual(['already-stored']);
  });

  it.each([
    ['pod', 7],
    ['pod', ''],
    ['pod', null],
    ['conversation', ['c']],
    ['conversation', ''],
  ])('with %s %p is 400 and names the field; complete has no such field', async (name, value) => {
    const refused = await setting.put(shutdown, { token: TOKEN, [name]: value });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      reason: 'wrong-field',
      detail: expect.stringContaining(`"${name}"`),
    });
    expect((await setting.put(`${WEB}/complete`, { token: TOKEN, [name]: value })).status).toBe(200);
  });

  it.each([
    ['pod-unknown', '"pod"'],
    ['conversation-over', '"conversation"'],
    ['shutdown-cancelled', 'cancelled'],
    ['too-many-goodbyes', 'room'],
  ] as const)('%s is 409 and says what to do', async (reason, text) => {
    setting.answerGoodbye = () => Promise.resolve({ kind: 'refused', reason });
    const response = await setting.put(shutdown, { token: TOKEN });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ reason, detail: expect.stringContaining(text) });
    expect(setting.metrics.answers).toEqual([{ hook: 'shutdown', status: 409, reason }]);
    expect(setting.logger.lines.at(-1)?.fields).toMatchObject({ reason, uid: 'uid-web' });
  });

  it('is heard from a pod whose identity the cluster signed and knows no more, as long as the pod is there; complete is not', async () => {
    const signedFor = { namespace: 'shop', name: 'web-0', uid: 'p0', credentialId: undefined };
    setting.setWeb({ auth: 'pod-identity', workloadUids: ['w'] });
    setting.identify = () => ({ kind: 'refused', reason: 'identity-refused', signedFor });
    const belonging = { application: 'web', lineage: ['p0', 'w'], address: '10.1.0.1' };
    setting.readPod = () => ({ kind: 'read', belonging });
    const headers = { Authorization: 'Bearer a.b.c' };
    expect((await setting.put(`${WEB}/complete`, undefined, { headers })).status).toBe(401);
    expect((await setting.put(shutdown, undefined, { headers })).status).toBe(200);
    expect(setting.goodbyes).toMatchObject([
      { grounds: { by: 'pod-identity', workloadUid: 'w' }, value: { pod: { name: 'web-0', uid: 'p0' } } },
    ]);
    setting.readPod = () => ({ kind: 'gone' });
    expect((await setting.put(shutdown, undefined, { headers })).status).toBe(401);
    setting.identify = () => ({ kind: 'refused', reason: 'identity-refused' });
    setting.readPod = () => ({ kind: 'read', belonging });
    expect((await setting.put(shutdown, undefined, { headers })).status).toBe(401);
    expect(setting.goodbyes).toHaveLength(1);
    expect(setting.stored).toEqual([]);
  });

  it('is heard from a pod whose owner is gone while it is awaited; others of that kind are 403, and complete is', async () => {
    const pod = { namespace: 'shop', name: 'web-0', uid: 'p0', credentialId: undefined };
    const awaited = { ...CONVERSATION, podUids: ['p0'] };
    const shows = (conversation: KnownConversation) =>
      setting.setWeb({
        auth: 'pod-identity',
        workloadUids: ['w'],
        shutdown: { ...BLANK.shutdown, conversations: [conversation] },
      });
    setting.identify = () => ({ kind: 'pod', pod });
    // Its ReplicaSet went before it: the Deployment is not to be found.
    const belonging = { application: 'web', lineage: ['p0', 'rs'], address: '10.1.0.1' };
    setting.readPod = () => ({ kind: 'read', belonging });
    const headers = { Authorization: 'Bearer a.b.c' };
    const status = async (path: string) => (await setting.put(path, undefined, { headers })).status;
    shows(awaited);
    expect([await status(`${WEB}/complete`), await status(shutdown)]).toEqual([403, 200]);
    shows({ ...awaited, outcome: 'timed-out' });
    expect(await status(shutdown)).toBe(403);
    shows({ ...awaited, podUids: ['another'] });
    expect(await status(shutdown)).toBe(403);
    expect(setting.goodbyes).toMatchObject([{ grounds: { by: 'pod-identity', workloadUid: 'w' } }]);
  });

  it('unproven is 401 and stores nothing', async () => {
    const response = await setting.put(shutdown, { token: 'wrong', pod: 'web-0' });
    expect(response.status).toBe(401);
    expect(setting.goodbyes).toEqual([]);
  });

  it('of who is asked is never too many; of others it is', async () => {
    const limited = await startRouter(listeners, { ratePerApplicationPerSecond: 1, rateBurst: 1 });
    const statuses = async (count: number) => {
      const answers: number[] = [];
      for (let i = 0; i < count; i++) answers.push((await limited.put(shutdown, { token: TOKEN })).status);
      return [200, 429].map((status) => answers.filter((answer) => answer === status).length);
    };
    const asked = {
      form: 'service' as const,
      sequence: 1,
      conversations: [CONVERSATION],
      volunteered: undefined,
    };
    limited.setWeb({ shutdown: asked });
    expect(await statuses(100)).toEqual([100, 0]);
    limited.setWeb({});
    const [accepted, refused] = await statuses(30);
    expect([9, 10]).toContain(accepted);
    expect(refused).toBeGreaterThanOrEqual(20);
  });
});
