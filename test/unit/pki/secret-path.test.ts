import { describe, expect, it } from '@jest/globals';
import jsonPatch from 'fast-json-patch';
import { KubeApiError, type KubeClient } from '../../../src/kube/index.ts';
import { createSecretPath } from '../../../src/pki/secret-path.ts';
import type { WebhookConfiguration } from '../../../src/pki/webhook-configuration.ts';
import { createManualClock, createMemoryLogger, settle, type ManualClock } from './fakes.ts';

const SECRET_PATH = /^\/mutate\/[0-9a-f]{64}$/;
type ClientConfig = NonNullable<WebhookConfiguration['webhooks']>[number]['clientConfig'];
interface StoredConfiguration extends WebhookConfiguration {
  webhooks: { readonly name: string; clientConfig: ClientConfig }[];
}

/** One webhook configuration that every replica sees, with the API server's rules for a patch. */
function createApi(...configs: ClientConfig[]) {
  let version = 1;
  const api = {
    stored: {
      metadata: { name: 'krake-hooks', resourceVersion: '1' },
      webhooks: configs.map((clientConfig, index) => ({ name: `w${index}`, clientConfig })),
    } as unknown as StoredConfiguration | undefined,
    reads: 0,
    refuse: undefined as KubeApiError | undefined,
    /** Somebody else writes. */
    set(...changed: ClientConfig[]) {
      const webhooks = changed.map((clientConfig, index) => ({ name: `w${index}`, clientConfig }));
      api.stored = { metadata: { name: 'krake-hooks', resourceVersion: String(++version) }, webhooks };
    },
    paths: () => api.stored?.webhooks.map(({ clientConfig }) => clientConfig.service?.path ?? ''),
    segment: () => api.paths()?.[0]?.slice('/mutate/'.length) ?? '',
    client: {
      async get() {
        api.reads++;
        const { stored } = api;
        await settle();
        return structuredClone(stored);
      },
      async patch(_ref: unknown, { body }: { body: jsonPatch.Operation[] }) {
        await Promise.resolve();
        if (api.refuse !== undefined) throw api.refuse;
        try {
          const { newDocument } = jsonPatch.applyPatch(structuredClone(api.stored), body, true);
          const metadata = { name: 'krake-hooks', resourceVersion: String(++version) };
          api.stored = { ...(newDocument as unknown as StoredConfiguration), metadata };
        } catch {
          throw new KubeApiError('test failed', 422, 'Invalid');
        }
      },
    } as unknown as Pick<KubeClient, 'get' | 'patch'>,
  };
  return api;
}

function replica(api: ReturnType<typeof createApi>, clock: ManualClock = createManualClock()) {
  const logger = createMemoryLogger();
  const secretPath = createSecretPath(
    { client: api.client, logger, clock },
    { webhookConfiguration: { kind: 'MutatingWebhookConfiguration', name: 'krake-hooks' }, path: '/mutate' },
  );
  return { secretPath, clock, logger, start: () => secretPath.start(new AbortController().signal) };
}

/** The answer for a segment that has to be looked up. */
async function lookedUp(
  { secretPath, clock }: ReturnType<typeof replica>,
  segment: string,
): Promise<boolean> {
  const answer = secretPath.isKnown(segment);
  await clock.advance(1_000);
  return answer;
}

const service = (path?: string): ClientConfig => ({ service: path === undefined ? {} : { path } });
const other = (letter: string) => letter.repeat(43);

describe('createSecretPath', () => {
  it.each([
    ['the plain path', [service('/mutate'), service('/mutate')]],
    ['no path', [service(), service()]],
    ['one that can be guessed', [service('/mutate/1234'), service('/')]],
  ])('gives webhooks with %s one of 256 bits, the same to all', async (_what, configs) => {
    const api = createApi(...configs);
    const { secretPath, clock, start, logger } = replica(api);
    expect(secretPath.ready()).toBe(false);
    await start();
    await clock.advance(1_000);
    expect(api.paths()?.[0]).toMatch(SECRET_PATH);
    expect(new Set(api.paths()).size).toBe(1);
    expect(secretPath.ready()).toBe(true);
    expect(secretPath.isKnown(api.segment())).toBe(true);
    expect(JSON.stringify(logger.lines)).not.toContain(api.segment());
    await secretPath.stop();
  });

  it('keeps the rest of a URL', async () => {
    const api = createApi({ url: 'https://127.0.0.1:8443/mutate' });
    const { clock, start, secretPath } = replica(api);
    await start();
    await clock.advance(1_000);
    expect(api.stored?.webhooks[0]?.clientConfig.url).toMatch(
      /^https:\/\/127\.0\.0\.1:8443\/mutate\/[0-9a-f]{64}$/,
    );
    await secretPath.stop();
  });

  it('takes what it finds, and gives it to webhooks that have none', async () => {
    const api = createApi(service('/mutate'), service(`/mutate/${other('a')}`));
    const { clock, start, secretPath } = replica(api);
    await start();
    await clock.advance(1_000);
    expect(api.paths()).toEqual([`/mutate/${other('a')}`, `/mutate/${other('a')}`]);
    await secretPath.stop();
  });

  it('makes one secret when many replicas start at once', async () => {
    const api = createApi(service('/mutate'), service('/mutate'));
    const replicas = Array.from({ length: 5 }, () => replica(api));
    await Promise.all(replicas.map(({ start }) => start()));
    for (let i = 0; i < 5; i++) for (const { clock } of replicas) await clock.advance(100);
    expect(api.paths()?.[0]).toMatch(SECRET_PATH);
    for (const { secretPath } of replicas) {
      expect(secretPath.isKnown(api.segment())).toBe(true);
      await secretPath.stop();
    }
  });

  it('knows another one at its first use, and the former one for a minute', async () => {
    const api = createApi(service(`/mutate/${other('a')}`));
    const one = replica(api);
    const { clock, start, secretPath } = one;
    await start();
    await clock.advance(2_000);
    api.set(service(`/mutate/${other('b')}`));
    expect(await lookedUp(one, other('b'))).toBe(true);
    expect(secretPath.isKnown(other('a'))).toBe(true);
    await clock.advance(59_000);
    expect(secretPath.isKnown(other('a'))).toBe(true);
    await clock.advance(10_000);
    expect(await lookedUp(one, other('a'))).toBe(false);
    expect(secretPath.isKnown(other('b'))).toBe(true);
    await secretPath.stop();
  });

  it('asks at most once a second for those who guess', async () => {
    const api = createApi(service(`/mutate/${other('a')}`));
    const { clock, start, secretPath } = replica(api);
    await start();
    await clock.advance(1_000);
    const before = api.reads;
    for (let i = 0; i < 1_000; i++) {
      void secretPath.isKnown(`guess-${i}`);
      if (i % 100 === 99) await clock.advance(300);
    }
    expect(api.reads - before).toBeLessThanOrEqual(4);
    expect(api.reads - before).toBeGreaterThan(0);
    await secretPath.stop();
  });

  it('keeps few waiting who guess; another path is known a moment later all the same', async () => {
    const api = createApi(service(`/mutate/${other('a')}`));
    const { clock, start, secretPath } = replica(api);
    await start();
    await clock.advance(1_000);
    api.set(service(`/mutate/${other('b')}`));
    const guesses = Array.from({ length: 1_000 }, (_, i) => secretPath.isKnown(`guess-${i}`));
    expect(guesses.filter((guess) => guess !== false)).toHaveLength(64);
    expect(secretPath.isKnown(other('b'))).toBe(false);
    expect(secretPath.isKnown(other('a'))).toBe(true);
    await clock.advance(1_000);
    for (const guess of guesses) expect(await guess).toBe(false);
    expect(secretPath.isKnown(other('b'))).toBe(true);
    // Who waited has gone.
    expect(secretPath.isKnown('guess')).toBeInstanceOf(Promise);
    await secretPath.stop();
  });

  it('knows nobody, and fails for nobody, without an answer of the API server', async () => {
    const api = createApi();
    api.client.get = () => Promise.reject(new Error('away'));
    const one = replica(api);
    const { clock, start, secretPath } = one;
    await start();
    await clock.advance(5_000);
    expect(secretPath.ready()).toBe(false);
    expect(await lookedUp(one, '')).toBe(false);
    await secretPath.stop();
  });

  it('tells who may not write it what to do, without the words of the API server', async () => {
    const api = createApi(service('/mutate'));
    api.refuse = new KubeApiError('forbidden: /mutate/quoted', 403, 'Forbidden');
    const { clock, start, secretPath, logger } = replica(api);
    await start();
    await clock.advance(1_000);
    expect(secretPath.ready()).toBe(false);
    expect(JSON.stringify(logger.lines)).toContain('set it yourself');
    expect(JSON.stringify(logger.lines)).not.toContain('quoted');
    api.set(service(`/mutate/${other('x')}`));
    await clock.advance(10_000);
    await settle();
    expect(secretPath.ready()).toBe(true);
    await secretPath.stop();
  });
});
