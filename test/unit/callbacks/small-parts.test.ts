import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { projectApplication } from '../../../src/callbacks/project-application.ts';
import { createSingleFlight } from '../../../src/callbacks/single-flight.ts';
import { addressOf, sourceOf } from '../../../src/http/source-of.ts';
import { createTokenBuckets, takeOfEach } from '../../../src/http/token-buckets.ts';
import { createTokenProof } from '../../../src/callbacks/token-proof.ts';

describe('token buckets', () => {
  it('grants the burst, then the rate, and says how long to wait', () => {
    let now = 0;
    const buckets = createTokenBuckets({ ratePerSecond: 2, burst: 3 }, () => now);
    expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 1]);
    now = 499;
    expect(buckets.take('a')).toBe(1);
    now = 501;
    expect([buckets.take('a'), buckets.take('a')]).toEqual([0, 1]);
    now = 1_000_000;
    expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 1]);
  });

  it('gives each key its own, and takes less for what costs less', () => {
    const buckets = createTokenBuckets({ ratePerSecond: 0.1, burst: 1 }, () => 0);
    expect([buckets.take('a'), buckets.take('a'), buckets.take('b')]).toEqual([0, 10, 0]);
    const cheap = Array.from({ length: 11 }, () => buckets.take('c', 0.1));
    expect(cheap.filter((wait) => wait === 0).length).toBeGreaterThanOrEqual(9);
    expect(cheap.at(-1)).toBeGreaterThan(0);
  });

  it('takes of each or of none', () => {
    const [few, many] = [1, 5].map((burst) => createTokenBuckets({ ratePerSecond: 0.5, burst }, () => 0));
    if (few === undefined || many === undefined) throw new Error('no buckets');
    const take = () =>
      takeOfEach([
        [few, ''],
        [many, 'a'],
      ]);
    expect([take(), take(), take()]).toEqual([0, 2, 2]);
    expect([1, 2, 3, 4, 5].map(() => many.take('a'))).toEqual([0, 0, 0, 0, 2]);
  });

  it('forgets the key used longest ago, not the busy one', () => {
    const buckets = createTokenBuckets({ ratePerSecond: 1, burst: 1, maxKeys: 3 }, () => 0);
    expect(buckets.take('busy')).toBe(0);
    for (let i = 0; i < 100; i++) {
      buckets.take(`other-${i}`);
      expect(buckets.take('busy')).toBe(1);
    }
    expect(buckets.take('other-0')).toBe(0);
  });
});

describe('sourceOf', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, ''],
  ])('%s is %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});

describe('addressOf', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['fd00::A', 'fd00::a'],
    ['fe80::1%eth0', 'fe80::1'],
    [undefined, undefined],
  ])('%s is %s', (remote, address) => {
    expect(addressOf(remote)).toBe(address);
  });
});

describe('single flight', () => {
  it('runs once a key at a time, shares the result or the error, then runs anew', async () => {
    const flights = createSingleFlight<number>();
    let runs = 0;
    const run = (key: string) => flights.run(key, () => Promise.resolve(++runs));
    expect(await Promise.all([run('a'), run('a'), run('b')])).toEqual([1, 1, 2]);
    expect(flights.underWay('a')).toBeUndefined();
    expect(await run('a')).toBe(3);
    await expect(flights.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(flights.underWay('a')).toBeUndefined();
  });
});

describe('token proof', () => {
  const isProof = createTokenProof();
  const hashOf = (token: string) => createHash('sha256').update(token).digest('hex');
  const proves = (token: string | undefined, tokenSha256: string | undefined, former: string[] = []) =>
    isProof(token, {
      tokenSha256,
      formerTokens: former.map((sha256) => ({ sha256, validUntil: '2030-01-01T00:00:00Z' })),
    });
  it.each([
    ['the right token', 'secret', hashOf('secret'), true],
    ['a wrong token', 'wrong', hashOf('secret'), false],
    ['the hash as token', hashOf('secret'), hashOf('secret'), false],
    ['no token', undefined, hashOf('secret'), false],
    ['no token where the empty one is stored', undefined, hashOf(''), false],
    ['no stored hash', 'secret', undefined, false],
    ['neither', undefined, undefined, false],
    ['a stored hash that is none', 'secret', 'short', false],
  ])('%s', (_name, token, stored, expected) => {
    expect(proves(token, stored)).toBe(expected ? hashOf(token ?? '') : undefined);
  });

  it('tells former tokens too, in any place, and nobody without an application', () => {
    const former = ['a', 'b', 'c', 'd'].map(hashOf);
    for (const token of ['a', 'b', 'c', 'd'])
      expect(proves(token, hashOf('now'), former)).toBe(hashOf(token));
    expect(proves('now', hashOf('now'), former)).toBe(hashOf('now'));
    expect(proves('other', hashOf('now'), former)).toBeUndefined();
    expect(proves('other', hashOf('now'), [''])).toBeUndefined();
    expect(isProof('now', undefined)).toBeUndefined();
  });
});

describe('projectApplication', () => {
  const tokenSha256 = 'a'.repeat(64);
  it('keeps UID, hash, hooks and times', () => {
    expect(
      projectApplication({
        metadata: { uid: 'u', name: 'n', managedFields: [{}] },
        spec: { hooks: ['shutdown', 'complete'] },
        status: { tokenSha256, signals: { complete: { receivedAt: 't', provenBy: 'token' } } },
      }),
    ).toEqual({
      uid: 'u',
      auth: 'token',
      tokenSha256,
      formerTokens: [],
      certificates: [],
      workloadUids: [],
      hooks: ['complete', 'shutdown'],
      signals: { complete: { receivedAt: 't' } },
      countsPods: false,
      completeFrom: undefined,
      shutdown: { form: 'service', sequence: undefined, conversations: [], volunteered: undefined },
    });
  });

  it('keeps what a sender may prove itself with, each in its place', () => {
    const status = {
      tokenSha256,
      formerTokens: [{ sha256: 'no hash' }, { sha256: 'b'.repeat(64), validUntil: 'then' }],
      certificates: [{ sha256: 'c'.repeat(64), notAfter: 'later', issuerSha256: 'i' }],
      workloads: [{ uid: 'w1', name: 'n' }, {}],
      signals: { completeFrom: { p1: { receivedAt: 't' } } },
    };
    const project = (spec: object) => projectApplication({ metadata: { uid: 'u' }, spec, status });
    expect(project({ auth: 'pod-identity', completeWhen: 'all' })).toMatchObject({
      auth: 'pod-identity',
      formerTokens: [
        { sha256: '', validUntil: '' },
        { sha256: 'b'.repeat(64), validUntil: 'then' },
      ],
      certificates: [{ sha256: 'c'.repeat(64), notAfter: 'later' }],
      workloadUids: ['w1', ''],
      countsPods: true,
      completeFrom: new Map([['p1', 't']]),
    });
    expect(project({ auth: 'anything' })).toMatchObject({
      auth: 'token',
      workloadUids: [],
      countsPods: false,
    });
  });

  it.each([
    ['nothing but a UID', { metadata: { uid: 'u' } }],
    [
      'nonsense',
      { metadata: { uid: 'u' }, spec: { hooks: 'complete' }, status: { tokenSha256: 7, signals: [] } },
    ],
    ['a hash that is none', { metadata: { uid: 'u' }, status: { tokenSha256: 'A'.repeat(64) } }],
    ['unknown hooks', { metadata: { uid: 'u' }, spec: { hooks: ['toString', null] } }],
  ])('%s proves nothing', (_name, object) => {
    expect(projectApplication(object)).toMatchObject({
      uid: 'u',
      tokenSha256: undefined,
      hooks: [],
      signals: {},
    });
  });

  it('without a UID it is nothing', () => {
    expect(projectApplication({ metadata: {} })).toBeUndefined();
  });

  it('shares what is the same in thousands', () => {
    const project = () => projectApplication({ metadata: { uid: 'u' }, spec: { hooks: ['complete'] } });
    expect(project()?.hooks).toBe(project()?.hooks);
    expect(project()?.signals).toBe(project()?.signals);
    expect(project()?.shutdown).toBe(project()?.shutdown);
  });
});
