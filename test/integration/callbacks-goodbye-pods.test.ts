import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { conversation, createTalking, goodbye, podAt, shutdownOf } from './callbacks-conversations.ts';
import {
  startCallbacksSetting,
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

describe('pod form', () => {
  const podForm = { shutdownService: 'pod:8080' };

  it('20 replicas at once at two processes: each pod is counted once, by its address', async () => {
    const pods = Array.from({ length: 20 }, (_, i) => podAt(`127.0.1.${i + 1}`, `p${i}`));
    const token = await known(
      'twenty',
      shutdownOf(conversation('c1', { form: 'pod', needed: 20, pods })),
      podForm,
    );
    const answers = await Promise.all(
      pods.flatMap(({ address }) => [
        replica.sayGoodbye('twenty', { token }, address),
        other.sayGoodbye('twenty', { token }, address),
      ]),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const [stored] = await conversationsOf('twenty');
    for (const [i, { name }] of pods.entries())
      expect(answers.slice(2 * i, 2 * i + 2).map(({ text }) => JSON.parse(text) as unknown)).toEqual(
        Array<unknown>(2).fill(
          expect.objectContaining({
            conversation: 'c1',
            pod: name,
            receivedAt: stored?.pods.find((pod) => pod.name === name)?.confirmation?.receivedAt,
          }),
        ),
      );
    expect(stored?.pods.map(({ confirmation }) => confirmation)).toEqual(pods.map(() => goodbye));
  });

  it('by name, by UID, by address, the only one left; not whom it cannot tell, and not another', async () => {
    const pods = ['a', 'b', 'c', 'd'].map((name, i) => podAt(`127.0.2.${i + 1}`, name));
    const token = await known(
      'tell',
      shutdownOf(conversation('c1', { form: 'pod', needed: 4, pods })),
      podForm,
    );
    const confirmed = async () =>
      (await conversationsOf('tell'))[0]?.pods.flatMap((pod) =>
        pod.confirmation === undefined ? [] : [pod.name],
      );
    const unknown = [
      await replica.sayGoodbye('tell', { token }, '127.0.2.9'),
      await replica.sayGoodbye('tell', { token, pod: 'x' }, '127.0.2.1'),
    ];
    expect(
      unknown.map(({ status, text }) => [status, (JSON.parse(text) as { reason: string }).reason]),
    ).toEqual([
      [409, 'pod-unknown'],
      [409, 'pod-unknown'],
    ]);
    expect(await confirmed()).toEqual([]);
    await replica.sayGoodbye('tell', { token, pod: 'b' }, '127.0.2.9');
    await replica.sayGoodbye('tell', { token, pod: 'uid-d' }, '127.0.2.9');
    await replica.sayGoodbye('tell', { token }, '127.0.2.1');
    expect(await confirmed()).toEqual(['a', 'b', 'd']);
    await replica.sayGoodbye('tell', { token }, '127.0.2.1');
    expect(await confirmed()).toEqual(['a', 'b', 'd']);
    await replica.sayGoodbye('tell', { token }, '127.0.2.9');
    expect(await confirmed()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('nobody has asked: each address is kept, at once too', async () => {
    const token = await known('each', shutdownOf(), podForm);
    const from = Array.from({ length: 10 }, (_, i) => `127.0.3.${i + 1}`);
    const answers = await Promise.all(
      from.flatMap((address) => [replica, other].map((each) => each.sayGoodbye('each', { token }, address))),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const stored = (await statusOf('each'))?.signals?.shutdownFrom ?? {};
    expect(Object.keys(stored).sort()).toEqual([...from].sort());
  });

  it('500 pods at once are a few writes', async () => {
    const pods = Array.from({ length: 500 }, (_, i) => podAt(`10.1.${i >> 8}.${i & 255}`, `p${i}`));
    const token = await known(
      'many',
      shutdownOf(conversation('c1', { form: 'pod', needed: 500, pods })),
      podForm,
    );
    const before = (await setting.read('many')).metadata.resourceVersion;
    const answers = await Promise.all(
      pods.map(({ name }, i) =>
        // No more than 256 connections from one address.
        replica.sayGoodbye('many', { token, pod: name }, `127.0.4.${(i % 4) + 1}`),
      ),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const { metadata, status } = await setting.read('many');
    expect(
      status?.shutdown?.conversations[0]?.pods.every(({ confirmation }) => confirmation !== undefined),
    ).toBe(true);
    // The revision counts the writes of all of the cluster, and how many come during one write depends on the machine; one for each pod would be 500.
    expect(Number(metadata.resourceVersion) - Number(before)).toBeLessThan(150);
  }, 300_000);
});
