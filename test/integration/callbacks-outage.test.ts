import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  startCallbacksSetting,
  waitUntilKnown,
  type CallbacksReplica,
  type CallbacksSetting,
  type PutAnswer,
} from './callbacks-setting.ts';

jest.setTimeout(300_000);
let setting: CallbacksSetting;
let replica: CallbacksReplica;

beforeAll(async () => {
  setting = await startCallbacksSetting();
  replica = await setting.replica();
}, 600_000);
afterAll(async () => setting.stop(), 60_000);

/** What a client does that takes Retry-After seriously. */
async function putUntilAnswered(name: string, token: string): Promise<readonly PutAnswer[]> {
  const answers: PutAnswer[] = [];
  await waitFor(
    'an answer other than 503',
    async () => {
      const answer = await replica.put(name, 'complete', token);
      answers.push(answer);
      return answer.status === 503 ? undefined : true;
    },
    { timeoutMs: 120_000 },
  );
  return answers;
}

describe('the API server goes away', () => {
  it('503 with Retry-After while it is away; the retry after its return is stored', async () => {
    const token = await setting.createApplication('patient');
    await waitUntilKnown(replica, 'patient', token);
    await setting.controlPlane.killApiserver();

    const away = await replica.put('patient', 'complete', token);
    expect(away.status).toBe(503);
    expect(Number(away.retryAfter)).toBeGreaterThan(0);
    await waitFor('the watch to be known broken', () =>
      Promise.resolve(replica.cache.connected() ? undefined : true),
    );
    // Not 401: while the watch is broken nobody knows whether the token is a new one.
    const unknown = await replica.put('unknown', 'complete', token);
    const wrong = await replica.put('patient', 'complete', 'wrong');
    expect([unknown.status, wrong.status]).toEqual([503, 503]);
    expect(wrong.text).toBe(unknown.text);

    const retrying = putUntilAnswered('patient', token);
    await setting.controlPlane.startApiserver();
    const last = (await retrying).at(-1);
    expect(last?.status).toBe(200);
    const stored = (await setting.read('patient')).status?.signals?.complete;
    expect(JSON.parse(last?.text ?? '')).toMatchObject({ receivedAt: stored?.receivedAt });
  }, 300_000);

  it('an application made after its return is known, and a wrong token is 401 again', async () => {
    const token = await setting.createApplication('later');
    await waitUntilKnown(replica, 'later', token);
    expect((await replica.put('later', 'complete', 'wrong')).status).toBe(401);
    expect((await replica.put('later', 'complete', token)).status).toBe(200);
  }, 300_000);

  it('killed in the middle of 40 signals: each sender tries again, each signal is stored', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `many-${i}`);
    const tokens = new Map<string, string>();
    for (const name of names) tokens.set(name, await setting.createApplication(name));
    for (const [name, token] of tokens) await waitUntilKnown(replica, name, token);

    const sending = names.map((name) => putUntilAnswered(name, tokens.get(name) ?? ''));
    await setting.controlPlane.killApiserver();
    await setting.controlPlane.startApiserver();
    const answers = await Promise.all(sending);
    expect(answers.map((all) => all.at(-1)?.status)).toEqual(names.map(() => 200));
    // Otherwise the kill came too late and nothing was tried.
    expect(answers.filter((all) => all.length > 1).length).toBeGreaterThan(0);
    for (const name of names) {
      const { status } = await setting.read(name);
      expect({ name, namespace: NAMESPACE, stored: status?.signals?.complete !== undefined }).toEqual({
        name,
        namespace: NAMESPACE,
        stored: true,
      });
    }
  }, 300_000);
});
