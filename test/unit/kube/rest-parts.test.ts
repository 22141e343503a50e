import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KubeApiError } from '../../../src/kube/index.ts';
import { backoffDelay } from '../../../src/kube/backoff.ts';
import { createCredentialCache, type Credentials } from '../../../src/kube/credentials.ts';
import { createRateLimit } from '../../../src/kube/rate-limit.ts';
import { collectionPath, objectPath, withQuery } from '../../../src/kube/resource-path.ts';
import { toApiError, toWatchError } from '../../../src/kube/status-error.ts';
import { createLineSplitter } from '../../../src/kube/watch-stream.ts';

const PODS = { apiVersion: 'v1', plural: 'pods' };
const DEPLOYMENTS = { apiVersion: 'apps/v1', plural: 'deployments' };

describe('resource paths', () => {
  it.each([
    [collectionPath(PODS), '/api/v1/pods'],
    [collectionPath(DEPLOYMENTS, 'shop'), '/apis/apps/v1/namespaces/shop/deployments'],
    [objectPath({ resource: { apiVersion: 'v1', plural: 'nodes' }, name: 'n' }), '/api/v1/nodes/n'],
    [
      objectPath({ resource: PODS, namespace: 'shop', name: 'a', subresource: 'status' }),
      '/api/v1/namespaces/shop/pods/a/status',
    ],
    [
      objectPath({ resource: PODS, namespace: 'a/b', name: '../x?y' }),
      '/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy',
    ],
    [withQuery('/p', { a: undefined }), '/p'],
    [
      withQuery('/p', { labelSelector: 'a=b,c', limit: 5, watch: true }),
      '/p?labelSelector=a%3Db%2Cc&limit=5&watch=true',
    ],
  ])('%s', (actual, expected) => {
    expect(actual).toBe(expected);
  });

  it.each(['', '.', '..'])('refuse the name "%s", which leads elsewhere', (name) => {
    expect(() => objectPath({ resource: PODS, namespace: 'shop', name })).toThrow(TypeError);
  });
});

describe('errors of answers', () => {
  const asked = { method: 'PUT', path: '/api/v1/namespaces/shop/pods/a?dryRun=All' };
  const status = (more: object) =>
    JSON.stringify({ kind: 'Status', message: 'said', reason: 'Conflict', ...more });

  it.each([
    {
      what: 'a Status',
      body: status({}),
      headers: {},
      reason: 'Conflict',
      retry: undefined,
      text: 'said (409)',
    },
    {
      what: 'the Retry-After header',
      body: status({}),
      headers: { 'retry-after': '3' },
      reason: 'Conflict',
      retry: 3,
      text: 'said',
    },
    {
      what: 'retryAfterSeconds',
      body: status({ details: { retryAfterSeconds: 2 } }),
      headers: {},
      reason: 'Conflict',
      retry: 2,
      text: 'said',
    },
    {
      what: 'a proxy',
      body: '<html>',
      headers: { 'retry-after': 'Wed, 21 Oct' },
      reason: 'Http409',
      retry: undefined,
      text: 'Http409 (409)',
    },
    {
      what: 'nonsense',
      body: '{"message":5,"reason":{},"details":7}',
      headers: {},
      reason: 'Http409',
      retry: undefined,
      text: 'Http409',
    },
  ])('read $what', ({ body, headers, reason, retry, text }) => {
    const error = toApiError(asked, 409, headers, body);
    expect(error).toMatchObject({ status: 409, reason, retryAfterSeconds: retry });
    expect(error.message).toMatch(/^PUT \/api\/v1\/namespaces\/shop\/pods\/a: /);
    expect(error.message).toContain(text);
  });

  it('say nothing of what the API server repeats about a Secret, and are bounded', () => {
    const secrets = { method: 'POST', path: '/api/v1/namespaces/shop/secrets' };
    expect(toApiError(secrets, 422, {}, status({ message: 'Invalid value: "canary"' })).message).toBe(
      'POST /api/v1/namespaces/shop/secrets: Conflict (422)',
    );
    expect(toApiError(asked, 422, {}, status({ message: 'x'.repeat(5_000) })).message).toHaveLength(1_024);
  });

  it("of a watch take the event's own code", () => {
    const error = toWatchError(asked, { code: 410, reason: 'Expired', message: 'too old' });
    expect(error).toBeInstanceOf(KubeApiError);
    expect(error).toMatchObject({ status: 410, reason: 'Expired' });
    expect(toWatchError(asked, null)).toMatchObject({ status: 500, reason: 'Http500' });
  });
});

describe('line splitter', () => {
  it('property: gives the lines whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,9}$/)),
        fc.array(fc.nat({ max: 30 })),
        (lines, cuts) => {
          const text = lines.map((line) => `${line}\n`).join('');
          const splitter = createLineSplitter();
          const bounds = [
            0,
            ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b),
            text.length,
          ];
          const got = bounds.flatMap((from, i) =>
            splitter.push(text.slice(from, bounds[i + 1] ?? text.length)),
          );
          expect(got).toEqual(lines);
        },
      ),
    );
  });
});

describe('backoff', () => {
  it.each([
    [1, 0, 100],
    [1, 1, 200],
    [2, 1, 400],
    [5, 0.5, 2_400],
    [30, 1, 300_000],
    [5_000, 0, 150_000],
  ])('after failure %i with random %d: %d ms', (attempt, random, expected) => {
    expect(backoffDelay({ baseMs: 200, maxMs: 300_000 }, attempt, random)).toBe(expected);
  });
});

describe('rate limit', () => {
  it('gives a burst at once and then one place after the other', () => {
    let now = 0;
    const limit = createRateLimit(10, () => now);
    const delays = Array.from({ length: 13 }, () => limit.reserve());
    expect(delays.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(delays.slice(10).map(Math.round)).toEqual([100, 200, 300]);
    limit.giveBack();
    expect(Math.round(limit.reserve())).toBe(300);
    now = 100_000;
    expect(Array.from({ length: 11 }, () => Math.round(limit.reserve()))).toEqual([
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100,
    ]);
  });
});

describe('credential cache', () => {
  const server = new URL('https://kubernetes.default.svc');
  const credentials = (token: string): Credentials => ({
    server,
    headers: { authorization: token },
    tls: {},
  });

  function setUp() {
    let now = 0;
    const reads: boolean[] = [];
    let answer: () => Promise<Credentials> = () => Promise.resolve(credentials(`t${reads.length}`));
    const source = {
      read: (fresh: boolean) => {
        reads.push(fresh);
        return answer();
      },
    };
    return {
      cache: createCredentialCache(source, () => now),
      reads,
      advance: (ms: number) => (now += ms),
      fail: () => (answer = () => Promise.reject(new Error('no file'))),
    };
  }

  it('reads once a minute, and once for all who ask at the same time', async () => {
    const { cache, reads, advance } = setUp();
    const [a, b] = await Promise.all([cache.current(), cache.current()]);
    expect(a).toBe(b);
    advance(59_999);
    await cache.current();
    expect(reads).toEqual([false]);
    advance(1);
    expect((await cache.current()).headers.authorization).toBe('t2');
  });

  it('keeps what it had when reading fails, but has nothing to give at first', async () => {
    const { cache, advance, fail } = setUp();
    const first = await cache.current();
    fail();
    advance(60_000);
    expect(await cache.current()).toBe(first);
    const empty = setUp();
    empty.fail();
    await expect(empty.cache.current()).rejects.toThrow('no file');
  });

  it('renews after a 401, not twice within two seconds', async () => {
    const { cache, reads, advance } = setUp();
    await cache.current();
    expect((await cache.renewed())?.headers.authorization).toBe('t2');
    expect(await cache.renewed()).toBeUndefined();
    advance(2_000);
    expect(await cache.renewed()).toBeDefined();
    expect(reads).toEqual([false, true, true]);
  });
});
