import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createGoodbyeStore } from '../../src/callbacks/index.ts';
import {
  conversation,
  createTalking,
  goodbye,
  inSeconds,
  podAt,
  shutdownOf,
} from './callbacks-conversations.ts';
import {
  NAMESPACE,
  startCallbacksSetting,
  waitUntilKnown,
  type ApplicationOptions,
  type CallbacksReplica,
  type CallbacksSetting,
  type ShutdownStatus,
} from './callbacks-setting.ts';

jest.setTimeout(300_000);
let setting: CallbacksSetting;
let replica: CallbacksReplica;
let other: CallbacksReplica;

beforeAll(async () => {
  setting = await startCallbacksSetting();
  replica = await setting.replica();
  other = await setting.replica();
}, 600_000);
afterAll(async () => setting.stop(), 60_000);

const known = (name: string, shutdown: ShutdownStatus, options?: ApplicationOptions) =>
  createTalking(setting, [replica, other], name, shutdown, options);
const statusOf = async (name: string) => (await setting.read(name)).status;
const conversationsOf = async (name: string) => (await statusOf(name))?.shutdown?.conversations ?? [];

describe('service form, with the rights of the callbacks alone', () => {
  it('confirms the open conversation before the 200; repeats by any replica are the same bytes', async () => {
    const token = await known(
      'service',
      shutdownOf(conversation('c1', { outcome: 'released' }), conversation('c2')),
    );
    const first = await replica.sayGoodbye('service', { token });
    const stored = await conversationsOf('service');
    expect([first.status, stored[0]?.confirmation, stored[1]?.confirmation]).toEqual([
      200,
      undefined,
      goodbye,
    ]);
    expect(JSON.parse(first.text)).toEqual({
      namespace: NAMESPACE,
      application: 'service',
      hook: 'shutdown',
      receivedAt: stored[1]?.confirmation?.receivedAt,
      conversation: 'c2',
    });
    expect((await statusOf('service'))?.signals).toEqual({});
    const { resourceVersion } = (await setting.read('service')).metadata;
    const again = [
      await other.sayGoodbye('service', { token }),
      await replica.sayGoodbye('service', { token }),
    ];
    expect(again.map(({ text }) => text)).toEqual([first.text, first.text]);
    expect((await setting.read('service')).metadata.resourceVersion).toBe(resourceVersion);
  });

  it('two processes race with 100 goodbyes each: one is stored, all hear the same 200', async () => {
    const token = await known('race', shutdownOf(conversation('c1')));
    const before = [replica, other].map(({ metrics }) => metrics.stores.length);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? replica : other).sayGoodbye('race', { token })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const stores = [replica, other].flatMap(({ metrics }, i) => metrics.stores.slice(before[i]));
    expect(stores.filter((outcome) => outcome === 'stored')).toHaveLength(1);
  });

  it('given up: the goodbye still counts', async () => {
    const token = await known(
      'given-up',
      shutdownOf(conversation('c1', { givenUpAt: inSeconds(-1), deadline: inSeconds(-1) })),
    );
    expect((await replica.sayGoodbye('given-up', { token })).status).toBe(200);
    expect((await conversationsOf('given-up'))[0]?.confirmation).toEqual(goodbye);
  });

  it('nobody has asked: kept, side by side with complete; no status of a conversation yet, or signals', async () => {
    const token = await setting.createApplication('voluntary', {
      hooks: ['complete', 'shutdown'],
      signals: false,
    });
    await waitUntilKnown(replica, 'voluntary', token);
    const answers = await Promise.all([
      replica.sayGoodbye('voluntary', { token }),
      replica.put('voluntary', 'complete', token),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await statusOf('voluntary'))?.signals).toEqual({ complete: goodbye, shutdown: goodbye });
  });

  it.each([
    ['cancelled', 'shutdown-cancelled'],
    ['timed-out', 'goodbye-too-late'],
    ['released', 'goodbye-too-late'],
  ] as const)(
    '%s: 409 and nothing stored, until it is forgotten; later it is one that nobody asked for',
    async (outcome, reason) => {
      const late = conversation('c1', { outcome, endedAt: inSeconds(-5), deadline: inSeconds(-5) });
      const token = await known(`late-${outcome}`, shutdownOf(late));
      const answer = await replica.sayGoodbye(`late-${outcome}`, { token });
      expect([answer.status, answer.text]).toEqual([409, expect.stringContaining(reason)]);
      expect((await statusOf(`late-${outcome}`))?.signals).toEqual({});
      await setting.writeShutdown(`late-${outcome}`, { ...shutdownOf(), sequence: 1 });
      expect((await replica.sayGoodbye(`late-${outcome}`, { token })).status).toBe(200);
      expect((await statusOf(`late-${outcome}`))?.signals?.shutdown).toEqual(goodbye);
    },
  );
});

describe('a cache that is late', () => {
  /** Says goodbye with what the cache knew at first, after the controller has written something else. */
  async function late(
    name: string,
    before: ShutdownStatus,
    after: ShutdownStatus,
    options?: ApplicationOptions,
  ) {
    const token = await known(name, before, options);
    const application = replica.cache.get(NAMESPACE, name);
    if (application?.tokenSha256 === undefined) throw new Error('not known');
    await setting.writeShutdown(name, after);
    const result = await createGoodbyeStore(setting.callbacksClient).store({
      namespace: NAMESPACE,
      name,
      application,
      grounds: { by: 'token', tokenSha256: application.tokenSha256 },
      sender: { pod: undefined, conversation: undefined, address: '10.0.0.1' },
      value: { receivedAt: new Date().toISOString(), provenBy: 'token' },
    });
    expect(token).not.toBe('');
    return { result, status: await statusOf(name) };
  }
  const over = conversation('c1', { outcome: 'confirmed', endedAt: inSeconds(-5) });
  const podForm = { shutdownService: 'pod:8080' };

  it.each<[string, ShutdownStatus, ShutdownStatus, object]>([
    [
      'none, then asked',
      shutdownOf(),
      shutdownOf(conversation('c1')),
      { conversation: 'c1', already: false },
    ],
    [
      'ended, then asked',
      shutdownOf(over),
      shutdownOf(over, conversation('c2')),
      { conversation: 'c2', already: false },
    ],
    [
      'ended and dropped, then asked',
      shutdownOf(over),
      { ...shutdownOf(conversation('c2')), sequence: 2 },
      { conversation: 'c2', already: false },
    ],
    [
      'confirmed, then asked anew',
      shutdownOf(conversation('c1', { confirmation: { receivedAt: inSeconds(-9), provenBy: 'token' } })),
      shutdownOf(over, conversation('c2')),
      { conversation: 'c2', already: false },
    ],
    [
      'asked, then another round',
      shutdownOf(conversation('c1')),
      shutdownOf(conversation('c1', { round: 2, deadline: inSeconds(7_200) })),
      { conversation: 'c1', already: false },
    ],
    [
      'asked, then moved',
      shutdownOf(over, conversation('c2')),
      { ...shutdownOf(conversation('c2')), sequence: 2 },
      { conversation: 'c2', already: false },
    ],
    [
      'asked, then released',
      shutdownOf(conversation('c1')),
      shutdownOf(conversation('c1', { outcome: 'released', endedAt: inSeconds(0) })),
      { kind: 'refused', reason: 'goodbye-too-late' },
    ],
    [
      'asked, then cancelled',
      shutdownOf(conversation('c1')),
      shutdownOf(conversation('c1', { outcome: 'cancelled', endedAt: inSeconds(0) })),
      { kind: 'refused', reason: 'shutdown-cancelled' },
    ],
  ])('%s', async (name, before, after, expected) => {
    const { result, status } = await late(name.replace(/\W+/g, '-'), before, after);
    expect(result).toMatchObject(expected);
    const stored = 'already' in expected && expected.already === false;
    expect(
      status?.shutdown?.conversations.filter(
        ({ outcome, confirmation }) => outcome === undefined && confirmation !== undefined,
      ),
    ).toHaveLength(stored ? 1 : 0);
    expect(
      status?.shutdown?.conversations.filter(
        ({ outcome, confirmation }) => outcome !== undefined && confirmation !== undefined,
      ),
    ).toEqual([]);
    expect(status?.signals).toEqual({});
  });

  it('the only pod that was asked is no more the only one', async () => {
    const one = conversation('c1', { form: 'pod', pods: [podAt('10.0.0.2', 'a')] });
    const two = conversation('c2', { form: 'pod', pods: [podAt('10.0.0.3', 'b')] });
    const { result, status } = await late('only-pod', shutdownOf(one), shutdownOf(one, two), podForm);
    expect(result).toEqual({ kind: 'refused', reason: 'pod-unknown' });
    expect(JSON.stringify(status)).not.toContain('"confirmation"');
  });
});
