import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { APPLICATIONS } from '../../src/applications/index.ts';
import { createSignalStore, type KnownApplication } from '../../src/callbacks/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  sha256,
  startCallbacksSetting,
  waitUntilKnown,
  type ApplicationOptions,
  type CallbacksReplica,
  type CallbacksSetting,
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

async function known(name: string, options?: ApplicationOptions): Promise<string> {
  const token = await setting.createApplication(name, options);
  await waitUntilKnown(replica, name, token);
  await waitUntilKnown(other, name, token);
  return token;
}

function knownTo({ cache }: CallbacksReplica, name: string): KnownApplication {
  const application = cache.get(NAMESPACE, name);
  if (application === undefined) throw new Error(`${name} is not known`);
  return application;
}

function provenBy(token: string) {
  return {
    grounds: { by: 'token', tokenSha256: sha256(token) },
    value: { receivedAt: new Date().toISOString(), provenBy: 'token' },
    countedPodUid: undefined,
  } as const;
}

describe('a PUT on a real API server, with the rights of the callbacks alone', () => {
  it.each([
    ['complete', 'with-signals', true],
    ['shutdown', 'with-signals-2', true],
    ['complete', 'without-signals', false],
  ] as const)('%s of %s is stored before the 200', async (hook, name, signals) => {
    const token = await known(name, { hooks: ['complete', 'shutdown'], signals });
    const answer = await replica.put(name, hook, token);
    const { status } = await setting.read(name);
    expect(answer.status).toBe(200);
    const stored = status?.signals?.[hook];
    expect(stored).toEqual({ provenBy: 'token', receivedAt: expect.any(String) });
    expect(JSON.parse(answer.text)).toEqual({
      namespace: NAMESPACE,
      application: name,
      hook,
      receivedAt: stored?.receivedAt,
    });
  });

  it('both hooks are kept side by side, also when the first made the signals', async () => {
    const token = await known('both', { hooks: ['complete', 'shutdown'], signals: false });
    const answers = await Promise.all([
      replica.put('both', 'complete', token),
      other.put('both', 'shutdown', token),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(Object.keys((await setting.read('both')).status?.signals ?? {}).sort()).toEqual([
      'complete',
      'shutdown',
    ]);
  });

  it('is answered the same, byte for byte, when repeated, by any replica, and stored once', async () => {
    const token = await known('repeated');
    const first = await replica.put('repeated', 'complete', token);
    const { resourceVersion } = (await setting.read('repeated')).metadata;
    // At once, when the watch may not have brought it yet, and later, from the cache.
    const second = await other.put('repeated', 'complete', token);
    const cached = () => other.cache.get(NAMESPACE, 'repeated')?.signals.complete;
    await waitFor('the signal in the cache', () => Promise.resolve(cached()));
    const third = await other.put('repeated', 'complete', token);
    expect([first, second, third].map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(second.text).toBe(first.text);
    expect(third.text).toBe(first.text);
    expect((await setting.read('repeated')).metadata.resourceVersion).toBe(resourceVersion);
  });

  it('a storm of 200 at two replicas is one stored signal and 200 equal answers', async () => {
    const token = await known('storm');
    const before = [replica.metrics.stores.length, other.metrics.stores.length];
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? replica : other).put('storm', 'complete', token)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const { status } = await setting.read('storm');
    expect(JSON.parse(answers[0]?.text ?? '')).toMatchObject({
      receivedAt: status?.signals?.complete?.receivedAt,
    });
    const stores = [...replica.metrics.stores.slice(before[0]), ...other.metrics.stores.slice(before[1])];
    expect(stores.filter((outcome) => outcome === 'stored')).toHaveLength(1);
    // Each replica asked the API server at most twice: once, and once more before its watch brought the signal.
    expect(stores.length).toBeLessThanOrEqual(4);
  });

  it('401 in the same words for everything unproven, and nothing is stored', async () => {
    const token = await known('proven-a');
    await known('proven-b');
    await setting.admin.create(APPLICATIONS, NAMESPACE, {
      apiVersion: APPLICATIONS.apiVersion,
      kind: 'Application',
      metadata: { name: 'no-token', namespace: NAMESPACE },
      spec: { hooks: ['complete'] },
    });
    await waitFor('it in the cache', () => Promise.resolve(replica.cache.get(NAMESPACE, 'no-token')));
    const answers = [
      await replica.put('proven-a', 'complete', 'wrong'),
      await replica.put('proven-a', 'complete', undefined),
      await replica.put('proven-b', 'complete', token),
      await replica.put('no-token', 'complete', token),
      await replica.put('unknown', 'complete', token),
      await replica.put('proven-a', 'complete', sha256(token)),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    for (const name of ['proven-a', 'proven-b'])
      expect((await setting.read(name)).status?.signals).toEqual({});
  });

  it('409 says which hooks are enabled, to the proven alone', async () => {
    const token = await known('only-complete');
    const answer = await replica.put('only-complete', 'shutdown', token);
    expect(answer.status).toBe(409);
    expect(answer.text).toContain('enabled: complete');
    expect((await replica.put('only-complete', 'shutdown', 'wrong')).status).toBe(401);
  });

  it('a token that became void is refused, also when the cache does not know it yet', async () => {
    const token = await known('revoked');
    const before = knownTo(replica, 'revoked');
    const status = { tokenSha256: null };
    await setting.admin.patch(
      { resource: APPLICATIONS, namespace: NAMESPACE, name: 'revoked', subresource: 'status' },
      { type: 'merge', body: { status } },
    );
    // What a replica with a late cache does.
    const late = await createSignalStore(setting.callbacksClient).store({
      namespace: NAMESPACE,
      name: 'revoked',
      application: before,
      ...provenBy(token),
    });
    expect(late).toEqual({ kind: 'void' });
    await waitFor('the revocation in the cache', () =>
      Promise.resolve(replica.cache.get(NAMESPACE, 'revoked')?.tokenSha256 === undefined ? true : undefined),
    );
    expect((await replica.put('revoked', 'complete', token)).status).toBe(401);
    expect((await setting.read('revoked')).status?.signals).toEqual({});
  });

  it('a namesake with another UID gets nothing', async () => {
    const token = await known('namesake');
    const store = createSignalStore(setting.callbacksClient);
    const result = await store.store({
      namespace: NAMESPACE,
      name: 'namesake',
      application: { ...knownTo(replica, 'namesake'), uid: '00000000-0000-0000-0000-000000000000' },
      ...provenBy(token),
    });
    expect(result).toEqual({ kind: 'void' });
    expect((await setting.read('namesake')).status?.signals).toEqual({});
  });

  it('no token in any log line', async () => {
    const token = await known('canary');
    await replica.put('canary', 'complete', token);
    await replica.put('canary', 'shutdown', token);
    await replica.put('unknown', 'complete', token);
    const logged = JSON.stringify(replica.logger.lines);
    expect(logged).toContain('canary');
    expect(logged).not.toContain(token);
    expect(logged).not.toContain(sha256(token));
  });
});
