import { describe, expect, it } from '@jest/globals';
import {
  buildSignalPatch,
  createSignalStore,
  type ProvenSignal,
} from '../../../src/callbacks/signal-store.ts';
import {
  KubeApiError,
  KubeUnreachableError,
  type KubeClient,
  type KubeObject,
} from '../../../src/kube/index.ts';

const signal: ProvenSignal = {
  namespace: 'shop',
  name: 'web',
  uid: 'uid-1',
  tokenSha256: 'a'.repeat(64),
  hook: 'complete',
  receivedAt: '2030-01-01T00:00:00.000Z',
};
const refused = new KubeApiError('test failed', 422, 'Invalid');

/** Answers one after the other; says what was asked. What the real API server does is in test/integration. */
function scripted(patches: readonly unknown[], live?: object) {
  const sent: unknown[] = [];
  const left = [...patches];
  const client: Pick<KubeClient, 'get' | 'patch'> = {
    patch: <T extends KubeObject>(_ref: unknown, patch: { body: unknown }) => {
      sent.push(patch.body);
      const next = left.shift();
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next as T);
    },
    get: <T extends KubeObject>() => Promise.resolve(live as T | undefined),
  };
  return { store: createSignalStore(client), sent };
}

const liveWith = (status: object, uid = signal.uid) => ({
  metadata: { uid },
  status: { tokenSha256: signal.tokenSha256, ...status },
});

describe('createSignalStore', () => {
  it('asks once and gives back what the API server has', async () => {
    const stored = liveWith({ signals: { complete: { receivedAt: 'as stored', provenBy: 'token' } } });
    const { store, sent } = scripted([stored]);
    expect(await store.store(signal)).toEqual({ kind: 'stored', receivedAt: 'as stored', already: false });
    expect(sent).toEqual([buildSignalPatch(signal, true)]);
  });

  it('a status without signals gets them', async () => {
    const { store, sent } = scripted([refused, liveWith({})], liveWith({}));
    expect(await store.store(signal)).toMatchObject({ kind: 'stored', already: false });
    expect(sent[1]).toEqual(buildSignalPatch(signal, false));
  });

  it('a signal that is there already stays as it is', async () => {
    const live = liveWith({ signals: { complete: { receivedAt: 'earlier', provenBy: 'token' } } });
    const { store, sent } = scripted([refused], live);
    expect(await store.store(signal)).toEqual({ kind: 'stored', receivedAt: 'earlier', already: true });
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['the token is another', liveWith({ tokenSha256: 'b'.repeat(64), signals: {} })],
    ['there is no token', liveWith({ tokenSha256: undefined, signals: {} })],
    ['it is a namesake', liveWith({ signals: {} }, 'uid-2')],
    ['it is gone', undefined],
  ])('void when %s', async (_name, live) => {
    expect(await scripted([refused], live).store.store(signal)).toEqual({ kind: 'void' });
  });

  it.each([
    ['not found', new KubeApiError('gone', 404, 'NotFound'), { kind: 'void' }],
    [
      'busy',
      new KubeApiError('slow down', 429, 'TooManyRequests', 7),
      { kind: 'unavailable', retryAfterSeconds: 7 },
    ],
    ['forbidden', new KubeApiError('no', 403, 'Forbidden'), { kind: 'unavailable' }],
    ['away', new KubeUnreachableError('refused'), { kind: 'unavailable', retryAfterSeconds: undefined }],
  ])('%s', async (_name, error, expected) => {
    expect(await scripted([error]).store.store(signal)).toMatchObject(expected);
  });

  it('a race that goes on and on is given up, not gone on with', async () => {
    const { store, sent } = scripted([refused, refused, refused, refused], liveWith({ signals: {} }));
    expect(await store.store(signal)).toMatchObject({ kind: 'unavailable' });
    expect(sent).toHaveLength(3);
  });
});
