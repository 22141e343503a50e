import { describe, expect, it } from '@jest/globals';
import { createAuthorize, type Access, type Authorized } from '../../../src/jobs-api/authorize.ts';
import { KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (claims: object) => `${encode({ alg: 'none' })}.${encode(claims)}.unsigned`;
const TOKEN = tokenOf({ aud: ['krake-hooks'], exp: 1_000_000 });
const account = { username: 'system:serviceaccount:shop:train', groups: ['g'], uid: 'u' };

interface Asked {
  readonly kind: string;
  readonly spec: Record<string, unknown>;
}

function start(
  answers: {
    user?: object | undefined;
    allowed?: boolean;
    anonymous?: string[];
    audiences?: string[];
    reviewed?: string[] | undefined;
  } = {},
) {
  const asked: Asked[] = [];
  const world = { now: 0, away: false, allowed: answers.allowed ?? true };
  const client = {
    create: (_resource: unknown, _namespace: unknown, body: Asked) => {
      if (world.away) return Promise.reject(new KubeUnreachableError('away'));
      asked.push(body);
      const user = 'user' in answers ? answers.user : account;
      const status =
        body.kind === 'TokenReview'
          ? {
              authenticated: user !== undefined,
              audiences: 'reviewed' in answers ? answers.reviewed : ['krake-hooks'],
              ...(user !== undefined && { user }),
            }
          : { allowed: world.allowed };
      return Promise.resolve({ metadata: {}, status });
    },
  } as unknown as Pick<KubeClient, 'create'>;
  const options = {
    anonymousNamespaces: answers.anonymous ?? [],
    audiences: answers.audiences ?? ['krake-hooks'],
  };
  const clock = { now: () => world.now, monotonic: () => world.now };
  return { asked, world, authorize: createAuthorize(client, options, clock) };
}

const access = (more: Partial<Access> = {}): Access => ({
  verb: 'create',
  resource: 'webhooks',
  namespace: undefined,
  authorization: `Bearer ${TOKEN}`,
  source: '10.0.0.1',
  ...more,
});

function statusOf(authorized: Authorized): number | string {
  if (authorized.kind === 'allowed') return authorized.namespace;
  return authorized.outcome.kind === 'problem' ? authorized.outcome.problem.status : 0;
}

describe('createAuthorize', () => {
  it.each<[string, Parameters<typeof start>[0], Partial<Access>, number | string]>([
    ['a service account acts in its own namespace', {}, {}, 'shop'],
    ['or in another, where its rights reach', {}, { namespace: 'other' }, 'other'],
    ['not where they do not', { allowed: false }, { namespace: 'other' }, 403],
    ['a person has to name one', { user: { username: 'jane' } }, {}, 400],
    ['and may act there', { user: { username: 'jane' } }, { namespace: 'other' }, 'other'],
    ['a token that is not valid', { user: undefined }, {}, 401],
    ['another scheme', {}, { authorization: 'Basic abc' }, 401],
    ['two words', {}, { authorization: 'Bearer a b' }, 401],
    ['an endless token', {}, { authorization: `Bearer ${'x'.repeat(20_000)}` }, 401],
    ['no token where nobody may do without', {}, { authorization: undefined }, 401],
    ['no token where one may: the first', { anonymous: ['a', 'b'] }, { authorization: undefined }, 'a'],
    ['or the one named', { anonymous: ['a', 'b'] }, { authorization: undefined, namespace: 'b' }, 'b'],
    ['but no other', { anonymous: ['a'] }, { authorization: undefined, namespace: 'c' }, 403],
    ['a token counts where none is needed', { anonymous: ['a'], user: undefined }, {}, 401],
  ])('%s', async (_name, answers, more, expected) => {
    expect(statusOf(await start(answers).authorize(access(more)))).toBe(expected);
  });

  it.each([
    [['krake-hooks'], 'Mount one with the audience krake-hooks.'],
    [['a', 'b'], 'Mount one with the audience a or b.'],
    [[], "Mount one with the API server's own audience."],
  ])('says which audience a token needs that is not valid: %j', async (audiences, hint) => {
    const authorized = await start({ user: undefined, audiences }).authorize(access());
    expect(authorized).toMatchObject({ outcome: { problem: { status: 401 } } });
    expect(JSON.stringify(authorized)).toContain(hint);
  });

  it('asks for the audience, and for exactly what is to be done as who it is', async () => {
    const { asked, authorize } = start();
    await authorize(access({ verb: 'list', resource: 'jobdonewatchers', namespace: 'other' }));
    expect(asked[0]?.spec).toEqual({ token: TOKEN, audiences: ['krake-hooks'] });
    expect(asked[1]?.spec).toEqual({
      user: account.username,
      groups: ['g'],
      uid: 'u',
      resourceAttributes: {
        namespace: 'other',
        verb: 'list',
        group: 'hooks.krake.dev',
        resource: 'jobdonewatchers',
      },
    });
  });

  it('remembers for ten seconds, each right for itself; who asks meanwhile shares the question', async () => {
    const { asked, world, authorize } = start();
    await Promise.all([authorize(access()), authorize(access())]);
    expect(asked).toHaveLength(2);
    await authorize(access({ verb: 'get' }));
    expect(asked).toHaveLength(3);
    world.allowed = false;
    expect(statusOf(await authorize(access()))).toBe('shop');
    world.now = 10_001;
    expect(statusOf(await authorize(access()))).toBe(403);
  });

  it('an API server that is away is asked again, and nobody is let in', async () => {
    const { world, authorize } = start();
    world.away = true;
    await expect(authorize(access())).rejects.toThrow(KubeUnreachableError);
    world.away = false;
    expect(statusOf(await authorize(access()))).toBe('shop');
  });

  it('believes a review only if it was made for one of our audiences', async () => {
    for (const reviewed of [undefined, [], ['another']])
      expect(statusOf(await start({ reviewed }).authorize(access()))).toBe(401);
    // Without audiences of our own the API server's count, which it checks itself.
    expect(statusOf(await start({ reviewed: undefined, audiences: [] }).authorize(access()))).toBe('shop');
  });

  it.each([
    ['no JWT', 'nonsense'],
    ['no JSON in it', 'aaaa.bbbb.cccc'],
    ['for somebody else', tokenOf({ aud: ['another'], exp: 1_000_000 })],
    ['for nobody', tokenOf({ exp: 1_000_000 })],
    ['expired', tokenOf({ aud: ['krake-hooks'], exp: -1 })],
  ])('nobody is asked about a token that is %s', async (_what, token) => {
    const { asked, authorize } = start();
    expect(statusOf(await authorize(access({ authorization: `Bearer ${token}` })))).toBe(401);
    expect(asked).toEqual([]);
  });

  const other = (n: number) => `Bearer ${tokenOf({ aud: 'krake-hooks', exp: 1_000_000, jti: n })}`;

  it('a source that sends wrong tokens is asked about for a while and then no more; others are', async () => {
    const { asked, world, authorize } = start({ user: undefined });
    const statuses: (number | string)[] = [];
    for (let n = 0; n < 50; n += 1)
      statuses.push(statusOf(await authorize(access({ authorization: other(n) }))));
    expect(statuses.filter((status) => status === 401)).toHaveLength(20);
    expect(statuses.at(-1)).toBe(429);
    expect(asked).toHaveLength(20);
    expect(statusOf(await authorize(access({ source: '10.0.0.2' })))).toBe(401);
    world.now += 3_000;
    expect(statusOf(await authorize(access({ authorization: other(99) })))).toBe(401);
  });

  it('so many a second are asked about, wherever they come from', async () => {
    const { asked, authorize } = start();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        authorize(access({ authorization: other(n), source: `10.0.1.${n}` })),
      ),
    );
    expect(asked.length).toBeLessThanOrEqual(400);
    expect(answers.map(statusOf)).toContain(503);
  });

  it('an API server that does not answer is spared', async () => {
    const { asked, world, authorize } = start();
    world.away = true;
    for (let n = 0; n < 5; n += 1)
      await expect(authorize(access({ authorization: other(n) }))).rejects.toThrow(KubeUnreachableError);
    world.away = false;
    expect(statusOf(await authorize(access()))).toBe(503);
    expect(asked).toEqual([]);
    world.now += 2_001;
    expect(statusOf(await authorize(access()))).toBe('shop');
  });

  it('says which role is wanted, the smallest first', async () => {
    const detailOf = async (resource: Access['resource']) => {
      const refusal = await start({ allowed: false }).authorize(access({ resource }));
      return JSON.stringify(refusal);
    };
    expect(await detailOf('jobdonewatchers')).toMatch(/krake-hooks-job-watchers .* krake-hooks-job-webhooks/);
    expect(await detailOf('webhooks')).not.toContain('krake-hooks-job-watchers');
  });

  it('no refusal repeats the token', async () => {
    for (const answers of [{ user: undefined }, { allowed: false }]) {
      expect(JSON.stringify(await start(answers).authorize(access()))).not.toContain(TOKEN);
    }
  });
});
