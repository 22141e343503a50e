import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Application } from '../../../src/applications/index.ts';
import { gateApplicationOf } from '../../../src/gate/gate-application.ts';
import { createGateHandler } from '../../../src/gate/gate-handler.ts';
import type { GateMetrics } from '../../../src/gate/index.ts';
import { createManualClock, createMemoryLogger, settle } from '../pki/fakes.ts';
import { application, conversation, createFakeApi, podObject, RECEIVED } from './gate-fixtures.ts';

interface Answer {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly auditAnnotations?: Readonly<Record<string, string>>;
    readonly status?: {
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly details?: object;
    };
  };
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const free = () => application({ conversations: [conversation(['uid-a'], { confirmation: RECEIVED })] });

/** The handler on a real socket. */
async function setUp(options: { live?: Application; cached?: Application; connected?: boolean } = {}) {
  const { live = application(), connected = true } = options;
  const { cached = live } = options;
  const api = createFakeApi(live);
  const clock = createManualClock();
  const logger = createMemoryLogger();
  const reviews: Parameters<GateMetrics['reviewed']>[] = [];
  const handler = createGateHandler(
    {
      client: api,
      applications: {
        get: (namespace, name) =>
          `${namespace}/${name}` === 'shop/web' ? gateApplicationOf(cached) : undefined,
        connected: () => connected,
      },
      logger,
      clock,
      metrics: {
        reviewed: (...args) => void reviews.push(args),
        rejected: () => undefined,
        failed: () => undefined,
        stored: () => undefined,
      },
    },
    { deadlineMs: 4_500, excludedNamespaces: new Set(['kube-system']), evictionRetryAfterSeconds: 2 },
  );
  const server = createServer((request, response) => void handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const send = async (request: object) => {
    const answer = await fetch(`http://127.0.0.1:${port}/validate?timeout=5s`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }),
    });
    return ((await answer.json()) as Answer).response;
  };
  return { api, clock, logger, reviews, send };
}

const deletion = (more: object = {}) => ({
  uid: 'review-1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  operation: 'DELETE',
  namespace: 'shop',
  name: 'a',
  userInfo: { username: 'jane' },
  object: null,
  oldObject: podObject(),
  ...more,
});
const eviction = (more: object = {}) => ({
  ...deletion(),
  kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
  operation: 'CREATE',
  subResource: 'eviction',
  object: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a', namespace: 'shop' } },
  oldObject: null,
  ...more,
});

describe('a pod that may go', () => {
  it('passes from the cache: the API server is not asked', async () => {
    const { send, api, reviews } = await setUp({ live: free() });
    expect(await send(deletion())).toEqual({
      uid: 'review-1',
      allowed: true,
      auditAnnotations: { reason: 'free', application: 'web' },
    });
    expect(api.reads).toBe(0);
    expect(reviews).toEqual([['deletion', 'passed', 'free', expect.any(Number)]]);
  });

  it.each<[string, Application]>([
    ['its hook is off', application({ spec: { hooks: [] } })],
    [
      'all of its application may go',
      application({ conversations: [conversation([], { scope: 'application', confirmation: RECEIVED })] }),
    ],
  ])('passes only when the live Application says so, too: %s', async (_why, cached) => {
    const { send, api } = await setUp({ live: application(), cached });
    expect((await send(deletion())).allowed).toBe(false);
    expect(api.reads).toBe(1);
  });

  it('passes when only the live Application knows it yet', async () => {
    const { send, api } = await setUp({ live: free(), cached: application() });
    expect(await send(deletion())).toMatchObject({ allowed: true });
    expect(api.reads).toBe(1);
  });

  it.each<[string, object]>([
    ['of the cluster', { namespace: 'kube-system' }],
    ['that is changed, not deleted', { operation: 'UPDATE' }],
    ['by another subresource', { subResource: 'status' }],
    ['that is none', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }],
  ])('passes: one %s', async (_what, more) => {
    const { send, api } = await setUp();
    expect(await send(deletion(more))).toMatchObject({ allowed: true });
    expect(api.reads).toBe(0);
  });

  it('a deletion of a collection names no pod; oldObject does', async () => {
    const { send } = await setUp();
    expect((await send(deletion({ name: '' }))).status?.message).toContain('pod a is kept');
  });
});

describe('a pod that has to stay', () => {
  it('its deletion is a conflict, without a Retry-After', async () => {
    const { send, reviews } = await setUp();
    const { allowed, status, auditAnnotations } = await send(deletion());
    expect(allowed).toBe(false);
    expect(status).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(status?.details).toBeUndefined();
    expect(auditAnnotations).toEqual({ reason: 'stored', application: 'web' });
    expect(reviews).toEqual([['deletion', 'held', 'stored', expect.any(Number)]]);
  });

  it('its eviction is one too many, with a Retry-After', async () => {
    const { send, reviews } = await setUp();
    expect((await send(eviction())).status).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      details: { retryAfterSeconds: 2 },
    });
    expect(reviews).toEqual([['eviction', 'held', 'stored', expect.any(Number)]]);
  });

  it('one line tells of it, and neither line nor answer has the token or its hash', async () => {
    const { send, logger } = await setUp();
    const answer = await send(deletion());
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatchObject({
      level: 'info',
      message: 'gate decided',
      fields: {
        outcome: 'held',
        reason: 'stored',
        by: 'jane',
        cause: 'deletion',
        name: 'a',
        podUid: 'uid-a',
        application: 'web',
      },
    });
    expect(JSON.stringify([logger.lines, answer])).not.toContain('abab');
  });

  it.each(['unreachable', 'forbidden'] as const)(
    'and nobody can tell, since the API server is %s',
    async (fault) => {
      const { send, api, logger } = await setUp();
      api.faults.push(fault);
      expect((await send(deletion())).status).toMatchObject({ code: 503, reason: 'ServiceUnavailable' });
      api.faults.push(fault);
      const { status, auditAnnotations } = await send(eviction());
      expect(status).toMatchObject({ code: 429, details: { retryAfterSeconds: 2 } });
      expect(auditAnnotations).toMatchObject({ reason: 'unavailable' });
      expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
    },
  );

  it('and the API server hangs: it is answered before the webhook’s timeout', async () => {
    const { send, api, clock } = await setUp();
    api.faults.push('hangs');
    const answering = send(deletion());
    while (api.reads === 0) await settle();
    await clock.advance(4_499);
    await clock.advance(1);
    expect((await answering).status).toMatchObject({ code: 503 });
  });

  it('while the watch is cut, what the cache shows is not believed', async () => {
    const { send, api } = await setUp({ cached: free(), connected: false });
    expect((await send(deletion())).allowed).toBe(false);
    expect(api.reads).toBe(1);
  });

  it.each([
    ['in the request', deletion({ dryRun: true })],
    ['in the eviction', eviction({ object: { deleteOptions: { dryRun: ['All'] } } })],
  ])('in a dry run nothing is stored: said %s', async (_where, request) => {
    const { send, api } = await setUp();
    expect((await send(request)).allowed).toBe(false);
    expect(api.patches).toEqual([]);
  });
});

describe('an eviction', () => {
  it('of a pod that is gone passes', async () => {
    const { send, api } = await setUp();
    api.pod = undefined;
    expect(await send(eviction())).toMatchObject({ allowed: true, auditAnnotations: { reason: 'pod-gone' } });
  });

  it.each([{ uid: 'another' }, { resourceVersion: '6' }])(
    'that means another pod passes, and the API server refuses it: %j',
    async (preconditions) => {
      const { send, api } = await setUp();
      const object = { deleteOptions: { preconditions } };
      expect(await send(eviction({ object }))).toMatchObject({
        allowed: true,
        auditAnnotations: { reason: 'precondition' },
      });
      expect(api.patches).toEqual([]);
    },
  );

  it('that means this pod is held', async () => {
    const { send } = await setUp();
    const object = { deleteOptions: { preconditions: { uid: 'uid-a', resourceVersion: '7' } } };
    expect((await send(eviction({ object }))).allowed).toBe(false);
  });
});

describe('what is no pod', () => {
  it('is refused as malformed, without a word of it', async () => {
    const { send, logger } = await setUp();
    const { status } = await send(deletion({ oldObject: { metadata: { name: 'secret-value' } } }));
    expect(status).toMatchObject({ code: 400, reason: 'BadRequest' });
    expect(JSON.stringify([status, logger.lines])).not.toContain('secret-value');
  });
});
