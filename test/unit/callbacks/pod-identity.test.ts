import { describe, expect, it } from '@jest/globals';
import { createPodIdentity } from '../../../src/callbacks/pod-identity.ts';
import { readBearer } from '../../../src/callbacks/read-bearer.ts';
import { readTokenReview } from '../../../src/callbacks/review-token.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
import { createRecordingMetrics } from './recorders.ts';

const NOW = Date.UTC(2030, 0, 1);
const AUDIENCE = 'hooks.krake.dev';
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = (change: object = {}) => ({
  aud: [AUDIENCE],
  exp: NOW / 1_000 + 600,
  'kubernetes.io': { namespace: 'shop', pod: { name: 'web-0', uid: 'p0' } },
  ...change,
});
const jwt = (payload: unknown, signature = 'c2ln') =>
  `${encode({ alg: 'RS256' })}.${encode(payload)}.${signature}`;

const reviewed = (change: object = {}) => ({
  status: {
    authenticated: true,
    audiences: [AUDIENCE],
    user: {
      username: 'system:serviceaccount:shop:default',
      extra: {
        'authentication.kubernetes.io/pod-name': ['web-0'],
        'authentication.kubernetes.io/pod-uid': ['p0'],
        'authentication.kubernetes.io/credential-id': ['JTI=1'],
      },
    },
    ...change,
  },
});

describe('readBearer', () => {
  const kubernetes = (value: object) => jwt(claims({ 'kubernetes.io': value }));
  it.each([
    ['no token', 'abc', 'identity-malformed'],
    ['no JSON', `${encode({})}.AAAA.c2ln`, 'identity-malformed'],
    ['longer than any', `${jwt(claims())}${'A'.repeat(9_000)}`, 'identity-malformed'],
    ['no end', jwt(claims({ exp: undefined })), 'identity-malformed'],
    ['another spelling of its signature', jwt(claims(), 'c2B'), 'identity-malformed'],
    ['a part that is no whole number of bytes', jwt(claims(), 'c2lnA'), 'identity-malformed'],
    ['for others', jwt(claims({ aud: ['https://kubernetes.default.svc'] })), 'identity-for-another-audience'],
    ['ended', jwt(claims({ exp: NOW / 1_000 })), 'identity-expired'],
    [
      'elsewhere',
      kubernetes({ namespace: 'other', pod: { name: 'a', uid: 'b' } }),
      'identity-of-another-namespace',
    ],
    ['no pod', kubernetes({ namespace: 'shop', serviceaccount: {} }), 'identity-of-no-pod'],
  ])('%s', (_name, token, reason) => {
    expect(readBearer(token, { audience: AUDIENCE, namespace: 'shop' }, NOW)).toEqual({
      kind: 'refused',
      reason,
    });
  });
});

describe('readTokenReview', () => {
  it('gives the pod that the API server vouches for', () => {
    const pod = { namespace: 'shop', name: 'web-0', uid: 'p0', credentialId: 'JTI=1' };
    expect(readTokenReview(reviewed(), AUDIENCE)).toEqual({ kind: 'pod', pod });
  });
  it.each([
    ['not authenticated', reviewed({ authenticated: false }), 'refused'],
    ['no audiences', reviewed({ audiences: undefined }), 'refused'],
    ['other audiences', reviewed({ audiences: ['x'] }), 'refused'],
    ['a person', reviewed({ user: { username: 'admin', extra: {} } }), 'of-no-pod'],
    ['no pod', reviewed({ user: { username: 'system:serviceaccount:shop:default' } }), 'of-no-pod'],
    ['nothing', undefined, 'refused'],
  ])('%s', (_name, review, kind) => {
    expect(readTokenReview(review, AUDIENCE)).toEqual({ kind });
  });
});

describe('createPodIdentity', () => {
  function setUp(signature: 'good' | 'forged' | 'unknown' = 'good', reviewsPerSecond = 50) {
    let nowMs = NOW;
    let asked = 0;
    const answer: { is: unknown } = { is: reviewed() };
    const metrics = createRecordingMetrics();
    const identity = createPodIdentity(
      {
        client: {
          create: async <T extends KubeObject>() => {
            asked++;
            await Promise.resolve();
            if (answer.is instanceof Error) throw answer.is;
            return answer.is as T;
          },
        },
        keys: { judge: () => Promise.resolve(signature) },
        metrics,
        clock: { now: () => nowMs, monotonic: () => nowMs },
      },
      { audience: AUDIENCE, cacheTtlMs: 10_000, reviewsPerSecond },
    );
    const check = (token = jwt(claims()), source = 's', namespace = 'shop') =>
      identity.check(token, namespace, source);
    return { check, answer, metrics, asked: () => asked, pass: (ms: number) => (nowMs += ms) };
  }
  /** Tokens of one pod, each with an ID of its own. */
  const differing = (count: number, first = 0, namespace = 'shop') =>
    Array.from({ length: count }, (_, i) =>
      jwt(claims({ jti: `${first + i}`, 'kubernetes.io': { namespace, pod: { name: 'web-0', uid: 'p0' } } })),
    );

  it('asks once for all who come at once, and again after a while', async () => {
    const { check, asked, pass } = setUp();
    const checks = await Promise.all(Array.from({ length: 30 }, () => check()));
    expect(new Set(checks.map(({ kind }) => kind))).toEqual(new Set(['pod']));
    pass(9_999);
    await check();
    expect(asked()).toBe(1);
    pass(1);
    await check();
    expect(asked()).toBe(2);
  });

  it('remembers what was refused, too', async () => {
    const { check, answer, asked } = setUp();
    answer.is = reviewed({ authenticated: false });
    const signedFor = { namespace: 'shop', name: 'web-0', uid: 'p0' };
    expect([await check(), await check()]).toEqual(
      Array(2).fill({ kind: 'refused', reason: 'identity-refused', signedFor }),
    );
    expect(asked()).toBe(1);
  });

  it('says whom a refused one was signed for only where the cluster has surely signed it', async () => {
    const { check, answer } = setUp('unknown');
    answer.is = reviewed({ authenticated: false });
    expect(await check()).toEqual({ kind: 'refused', reason: 'identity-refused' });
    const signed = setUp();
    signed.answer.is = reviewed({ user: { username: 'admin', extra: {} } });
    expect(await signed.check()).toEqual({ kind: 'refused', reason: 'identity-of-no-pod' });
  });

  it('does not ask about what none of the cluster’s keys has signed', async () => {
    const { check, asked } = setUp('forged');
    expect(await check()).toEqual({ kind: 'refused', reason: 'identity-forged' });
    expect(asked()).toBe(0);
  });

  it('asks about few whose key is not known: a fifth from one source, half from all', async () => {
    const { check, asked, pass } = setUp('unknown');
    for (const token of differing(1_000)) await check(token);
    expect(asked()).toBe(10);
    for (const [i, token] of differing(1_000, 1_000).entries()) await check(token, `s${i}`);
    // One token is gone from the bucket for all for each that was asked about.
    expect(asked()).toBe(25);
    pass(1_000);
    for (const [i, token] of differing(1_000, 2_000).entries()) await check(token, `s${i}`);
    expect(asked()).toBe(50);
  });

  it('stops asking who does not answer, and begins again with one', async () => {
    const { check, answer, asked, pass, metrics } = setUp();
    answer.is = new Error('away');
    for (const token of differing(20)) expect(await check(token)).toMatchObject({ kind: 'unavailable' });
    expect(asked()).toBe(5);
    expect(metrics.reviews.at(-1)).toBe('breaker-open');
    pass(5_000);
    const [one = '', two = '', three = '', four = ''] = differing(4, 100);
    await check(one);
    await check(two);
    expect(asked()).toBe(6);
    answer.is = reviewed();
    pass(5_000);
    expect(await check(three)).toMatchObject({ kind: 'pod' });
    expect(await check(four)).toMatchObject({ kind: 'pod' });
  });

  it('leaves something for other namespaces when one has thousands of tokens', async () => {
    const { check, asked, pass } = setUp();
    const answers = [];
    for (const token of differing(1_000)) answers.push(await check(token));
    expect(answers.at(-1)).toMatchObject({ kind: 'unavailable', reason: 'review-limited' });
    // Its share of 15, and more only while half is left.
    expect(asked()).toBe(26);
    for (let second = 0; second < 10; second++) {
      pass(1_000);
      for (const token of differing(200, 1_000 * (second + 1))) await check(token);
      const before = asked();
      for (const token of differing(14, 1_000 * (second + 1), 'other')) await check(token, 's', 'other');
      expect(asked() - before).toBe(14);
      const late = await check(differing(1, 1_000 * (second + 1) + 500, 'other')[0], 's', 'other');
      expect(late.kind).not.toBe('unavailable');
    }
  });

  it('lets one namespace have all that is asked for when that is little', async () => {
    const { check, pass } = setUp('good', 1);
    for (const token of differing(5)) {
      expect(await check(token)).toMatchObject({ kind: 'pod' });
      pass(1_000);
    }
  });

  it('asks once about a token whose signature has two forms', async () => {
    const { check, asked } = setUp();
    const both = [check(jwt(claims(), 'AAAA')), check(jwt(claims(), 'BBBB'))];
    expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(['pod', 'pod']);
    await check(jwt(claims(), 'CCCC'));
    expect(asked()).toBe(1);
  });

  it('asks about each form when it does not know the key', async () => {
    const { check, asked } = setUp('unknown');
    await check(jwt(claims(), 'AAAA'));
    await check(jwt(claims(), 'BBBB'));
    expect(asked()).toBe(2);
  });

  it('takes no pod that the token itself does not name', async () => {
    const { check } = setUp();
    const other = { 'kubernetes.io': { namespace: 'shop', pod: { name: 'web-1', uid: 'p1' } } };
    // Nor when it is remembered.
    for (let i = 0; i < 2; i++)
      expect(await check(jwt(claims(other)))).toEqual({ kind: 'refused', reason: 'identity-refused' });
  });
});
