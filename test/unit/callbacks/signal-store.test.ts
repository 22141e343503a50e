import { describe, expect, it } from '@jest/globals';
import type { ProvenSignal } from '../../../src/callbacks/index.ts';
import { projectApplication } from '../../../src/callbacks/project-application.ts';
import { createSignalStore } from '../../../src/callbacks/signal-store.ts';
import {
  KubeApiError,
  KubeUnreachableError,
  type KubeClient,
  type KubeObject,
} from '../../../src/kube/index.ts';

const tokenSha256 = 'a'.repeat(64);
const formerSha256 = 'f'.repeat(64);
const certificateSha256 = 'c'.repeat(64);
const NOW = Date.UTC(2030, 0, 1);
const receivedAt = new Date(NOW).toISOString();
const later = new Date(NOW + 60_000).toISOString();
const refused = new KubeApiError('test failed', 422, 'Invalid');

const liveWith = (status: object, uid = 'uid-1', spec: object = {}) => ({
  metadata: { uid },
  spec,
  status: { tokenSha256, ...status },
});

function signalOf(change: Partial<ProvenSignal> = {}, cached: object = liveWith({})): ProvenSignal {
  const application = projectApplication(cached);
  if (application === undefined) throw new Error('no application');
  return {
    namespace: 'shop',
    name: 'web',
    application,
    grounds: { by: 'token', tokenSha256 },
    value: { receivedAt, provenBy: 'token' },
    countedPodUid: undefined,
    ...change,
  };
}

/** Answers one after the other; says what was asked. What the real API server does is in test/integration. */
function scripted(patches: readonly unknown[], live?: object) {
  const sent: unknown[] = [];
  const left = [...patches];
  const client: Pick<KubeClient, 'get' | 'patch'> = {
    patch: async <T extends KubeObject>(_ref: unknown, patch: { body: unknown }) => {
      sent.push(patch.body);
      await Promise.resolve();
      const next = left.shift();
      if (next instanceof Error) throw next;
      return next as T;
    },
    get: <T extends KubeObject>() => Promise.resolve(live as T | undefined),
  };
  return { store: createSignalStore(client, { now: () => NOW }), sent };
}

const test = (path: string, value: unknown) => ({ op: 'test', path, value });
const value = { receivedAt, provenBy: 'token' };
const toNew = (path: string, what: unknown) => [test(path, null), { op: 'add', path, value: what }];

describe('createSignalStore', () => {
  it('asks once and gives back what the API server has', async () => {
    const stored = liveWith({ signals: { complete: { receivedAt: 'as stored', provenBy: 'token' } } });
    const { store, sent } = scripted([stored]);
    expect(await store.store(signalOf())).toEqual({
      kind: 'stored',
      receivedAt: 'as stored',
      already: false,
    });
    expect(sent).toEqual([
      [
        test('/metadata/uid', 'uid-1'),
        test('/status/tokenSha256', tokenSha256),
        ...toNew('/status/signals/complete', value),
      ],
    ]);
  });

  it('a status without signals gets them', async () => {
    const { store, sent } = scripted([refused, liveWith({})], liveWith({}));
    expect(await store.store(signalOf())).toMatchObject({ kind: 'stored', already: false });
    expect(sent[1]).toEqual([
      test('/metadata/uid', 'uid-1'),
      test('/status/tokenSha256', tokenSha256),
      ...toNew('/status/signals', { complete: value }),
    ]);
  });

  it('a signal that is there already stays as it is', async () => {
    const live = liveWith({ signals: { complete: { receivedAt: 'earlier', provenBy: 'token' } } });
    const { store, sent } = scripted([refused], live);
    expect(await store.store(signalOf())).toEqual({ kind: 'stored', receivedAt: 'earlier', already: true });
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['the token is another', liveWith({ tokenSha256: 'b'.repeat(64), signals: {} })],
    ['there is no token', liveWith({ tokenSha256: undefined, signals: {} })],
    ['it is a namesake', liveWith({ signals: {} }, 'uid-2')],
    ['it proves itself otherwise by now', liveWith({ signals: {} }, 'uid-1', { auth: 'pod-identity' })],
    [
      'the token is a former one whose time is over',
      liveWith({
        tokenSha256: 'b'.repeat(64),
        formerTokens: [{ sha256: tokenSha256, validUntil: receivedAt }],
        signals: {},
      }),
    ],
    ['it is gone', undefined],
  ])('void when %s', async (_name, live) => {
    expect(await scripted([refused], live).store.store(signalOf())).toEqual({ kind: 'void' });
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
    expect(await scripted([error]).store.store(signalOf())).toMatchObject(expected);
  });

  it('a race that goes on and on is given up, not gone on with', async () => {
    const { store, sent } = scripted(Array<Error>(9).fill(refused), liveWith({ signals: {} }));
    expect(await store.store(signalOf())).toMatchObject({ kind: 'unavailable' });
    expect(sent).toHaveLength(4);
  });
});

describe('what a patch tests of the proof', () => {
  const formerTokens = [
    { sha256: 'e'.repeat(64), validUntil: later },
    { sha256: formerSha256, validUntil: later },
  ];

  it('of a former token: its place, its time, and that the one after it is the same', async () => {
    const { store, sent } = scripted([liveWith({ signals: {} })]);
    await store.store(
      signalOf({ grounds: { by: 'token', tokenSha256: formerSha256 } }, liveWith({ formerTokens })),
    );
    expect((sent[0] as unknown[]).slice(0, 4)).toEqual([
      test('/metadata/uid', 'uid-1'),
      test('/status/tokenSha256', tokenSha256),
      test('/status/formerTokens/1/sha256', formerSha256),
      test('/status/formerTokens/1/validUntil', later),
    ]);
  });

  it('a token that has become a former one meanwhile is found again', async () => {
    const rotated = liveWith({
      tokenSha256: 'b'.repeat(64),
      formerTokens: [{ sha256: tokenSha256, validUntil: later }],
      signals: {},
    });
    const { store, sent } = scripted([refused, rotated], rotated);
    expect(await store.store(signalOf())).toMatchObject({ kind: 'stored' });
    expect(sent[1]).toContainEqual(test('/status/formerTokens/0/sha256', tokenSha256));
  });

  it('of a certificate: that it is listed', async () => {
    const certificates = [{ sha256: certificateSha256, notAfter: later }];
    const grounds = { by: 'token', tokenSha256, certificateSha256 } as const;
    const { store, sent } = scripted([refused], liveWith({ signals: {} }));
    expect(await store.store(signalOf({ grounds }, liveWith({ certificates })))).toEqual({ kind: 'void' });
    expect(sent[0]).toContainEqual(test('/status/certificates/0/sha256', certificateSha256));
  });

  it('of a pod: that its workload is part of the application, and that pods prove themselves so', async () => {
    const spec = { auth: 'pod-identity' };
    const cached = liveWith({ workloads: [{ uid: 'w0' }, { uid: 'w1' }] }, 'uid-1', spec);
    const grounds = { by: 'pod-identity', workloadUid: 'w1' } as const;
    const { store, sent } = scripted([refused], liveWith({ workloads: [{ uid: 'w0' }] }, 'uid-1', spec));
    expect(await store.store(signalOf({ grounds }, cached))).toEqual({ kind: 'void' });
    expect((sent[0] as unknown[]).slice(0, 3)).toEqual([
      test('/metadata/uid', 'uid-1'),
      test('/spec/auth', 'pod-identity'),
      test('/status/workloads/1/uid', 'w1'),
    ]);
  });
});

describe('counted pods', () => {
  const spec = { auth: 'pod-identity', completeWhen: 'all' };
  const with1 = (signals: object) => liveWith({ workloads: [{ uid: 'w' }], signals }, 'uid-1', spec);
  const ofPod = (uid: string, cached: object = with1({})) =>
    signalOf(
      {
        grounds: { by: 'pod-identity', workloadUid: 'w' },
        value: { receivedAt, provenBy: 'pod-identity', pod: { name: `name-${uid}`, uid } },
        countedPodUid: uid,
      },
      cached,
    );

  it('are stored each for itself, those that come meanwhile with one patch', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
    const after = with1({ completeFrom: {} });
    const { store, sent } = scripted([after, after], after);
    const results = await Promise.all([...names, 'p3'].map((uid) => store.store(ofPod(uid))));
    expect(results.map(({ kind }) => kind)).toEqual(Array<string>(21).fill('stored'));
    expect(results.filter((result) => result.kind === 'stored' && result.already)).toHaveLength(1);
    expect(sent).toHaveLength(2);
    expect(sent[0]).toContainEqual(test('/status/signals/completeFrom', null));
  });

  it('a repeat of a pod is answered with its own first time', async () => {
    const live = with1({ completeFrom: { p1: { receivedAt: 'first', provenBy: 'pod-identity' } } });
    const { store } = scripted([refused], live);
    expect(await store.store(ofPod('p1'))).toEqual({ kind: 'stored', receivedAt: 'first', already: true });
  });

  it('one whose workload is gone does not stand in the way of the others', async () => {
    const live = with1({ completeFrom: {} });
    const { store } = scripted([live, refused, live], live);
    const gone = { ...ofPod('x'), grounds: { by: 'pod-identity', workloadUid: 'old' } } as const;
    const cached = liveWith({ workloads: [{ uid: 'w' }, { uid: 'old' }], signals: {} }, 'uid-1', spec);
    const application = ofPod('y', cached).application;
    const results = await Promise.all([
      store.store(ofPod('first')),
      store.store({ ...gone, application }),
      store.store({ ...ofPod('y'), application }),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual(['stored', 'void', 'stored']);
  });

  it('are not more than there is room for', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => [`p${i}`, { receivedAt, provenBy: 'pod-identity' }]),
    );
    const live = with1({ completeFrom: many });
    const { store, sent } = scripted([], live);
    expect(await store.store(ofPod('one-more', live))).toEqual({ kind: 'full' });
    expect(await store.store(ofPod('p7', live))).toMatchObject({ kind: 'stored', already: true });
    expect(sent).toEqual([]);
  });
});
