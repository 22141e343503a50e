import { describe, expect, it } from '@jest/globals';
import { whyRefused } from '../../../src/jobs-api/check-url.ts';
import { CHUNK, listPage, MAX_PAGE } from '../../../src/jobs-api/list-page.ts';
import { buildOpenApi } from '../../../src/jobs-api/openapi.ts';
import { outcomeOfError } from '../../../src/jobs-api/outcome.ts';
import { createRecentAnswers } from '../../../src/jobs-api/recent-answers.ts';
import { idOf, readId, toWatcherAnswer } from '../../../src/jobs-api/resources.ts';
import { WEBHOOKS, type JobDoneWatcher } from '../../../src/jobs/index.ts';
import { KubeApiError, KubeUnreachableError, type ListOptions } from '../../../src/kube/index.ts';
import { createAddressPolicy } from '../../../src/outbound/index.ts';

describe('whyRefused', () => {
  const deps = {
    policy: createAddressPolicy({ allowCidrs: [], denyCidrs: ['10.9.0.0/16'] }),
    services: { ownNamespace: 'krake-system', inClusterNamespaces: ['.', 'receivers'] },
    apiServers: () => Promise.resolve([{ address: '10.0.0.1', port: 443 }]),
  };
  it.each([
    ['http://my-service:8080/x', undefined],
    ['https://10.1.2.3/', undefined],
    ['http://a.shop.svc/', undefined],
    ['http://a.receivers.svc.cluster.local:8080/', undefined],
    ['http://hooks.example.com/', undefined],
    ['http://a.bank.svc/', /namespace bank, which outbound.inClusterNamespaces does not allow/],
    ['http://a.bank.svc.cluster.local./', /namespace bank/],
    ['http://krake-hooks-gate.krake-system.svc/', /namespace krake-system, where this service itself runs/],
    ['nonsense', /no URL/],
    ['ftp://a.example/', /must begin/],
    ['http://a:b@c.example/', /user information/],
    ['http://', /no URL/],
    ['http://:80/', /no URL/],
    ['http://@c.example/', /no URL/],
    ['HTTP://c.example/', /begin with http:\/\/ or https:\/\/, in lower case/],
    ['http:c.example', /must begin/],
    [' http://c.example/', /blanks/],
    ['http://c.example/a b', /blanks/],
    ['http://c.example/\n', /blanks/],
    ['http://[2606:4700::1]:8080/?a=@', undefined],
    ['http://localhost/', /refused \(loopback/],
    ['http://x.localhost./', /refused \(loopback/],
    ['http://0x7f.1/', /refused \(loopback/],
    ['http://[::ffff:169.254.169.254]/', /refused \(metadata/],
    ['http://10.9.1.1/', /refused \(denied-network/],
    ['https://10.0.0.1/', /refused \(api-server/],
  ])('%s', async (url, expected) => {
    const why = await whyRefused(url, 'shop', deps);
    if (expected === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(expected);
  });
});

describe('listPage', () => {
  const page = (query: object, list: (options: ListOptions) => Promise<object>, fieldSelector?: string) =>
    listPage(
      { list: (_resource: unknown, _namespace: unknown, options: ListOptions) => list(options) } as never,
      WEBHOOKS,
      'shop',
      {
        query: { limit: undefined, continue: undefined, ...query },
        path: new URL('http://service/webhooks?namespace=shop&continue=old'),
        ...(fieldSelector !== undefined && { fieldSelector }),
      },
      ({ metadata }) => metadata.name,
    );
  const items = [{ metadata: { name: 'a' } }];

  it('names the next page with all that the caller has asked for', async () => {
    const outcome = await page({ limit: '1' }, () => Promise.resolve({ items, continue: 'new' }));
    expect(outcome).toEqual({
      kind: 'answer',
      status: 200,
      body: ['a'],
      headers: { Link: '</webhooks?namespace=shop&continue=new>; rel="next"', Continue: 'new' },
    });
  });

  it('asks for no more than may be, and passes the token and the selector on', async () => {
    const asked: ListOptions[] = [];
    const list = (options: ListOptions) => {
      asked.push(options);
      return Promise.resolve({ items });
    };
    await page({}, list);
    await page({ limit: '5', continue: 'token' }, list, 'spec.jobName=a');
    expect(asked).toEqual([
      { limit: CHUNK },
      { limit: 5, continue: 'token', fieldSelector: 'spec.jobName=a' },
    ]);
  });

  it('is read in parts, up to its limit', async () => {
    const asked: ListOptions[] = [];
    const outcome = await page({ limit: '250' }, (options) => {
      asked.push(options);
      return Promise.resolve({
        items: Array.from({ length: options.limit ?? 0 }, () => items[0]),
        continue: `t${asked.length}`,
      });
    });
    expect(asked.map(({ limit }) => limit)).toEqual([100, 100, 50]);
    expect(asked.map((options) => options.continue)).toEqual([undefined, 't1', 't2']);
    expect(outcome).toMatchObject({ headers: { Continue: 't3' } });
    expect(outcome.kind === 'answer' ? outcome.body : []).toHaveLength(250);
  });

  it('has so many bytes and not many more', async () => {
    const large = { metadata: { name: 'x'.repeat(65_536) } };
    let asked = 0;
    const outcome = await page({}, ({ limit = 0 }) => {
      asked += 1;
      return Promise.resolve({ items: Array.from({ length: limit }, () => large), continue: 'more' });
    });
    expect(asked).toBe(2);
    expect(outcome).toMatchObject({ headers: { Continue: 'more' } });
    expect(MAX_PAGE).toBeGreaterThan(2 * CHUNK);
  });

  it.each([
    { limit: '0' },
    { limit: '1.5' },
    { limit: '1001' },
    { continue: '' },
    { continue: 'x'.repeat(3_000) },
  ])('%j is refused without asking', async (query) => {
    const outcome = await page(query, () => Promise.reject(new Error('asked')));
    expect(outcome).toMatchObject({ kind: 'problem', problem: { status: 400 } });
  });

  it('a token that the API server does not know any more is the caller’s to forget', async () => {
    const gone = () => Promise.reject(new KubeApiError('expired', 410, 'Expired'));
    expect(await page({ continue: 'old' }, gone)).toMatchObject({ problem: { status: 400 } });
  });
});

describe('outcomeOfError', () => {
  it.each<[Error, number | undefined]>([
    [new KubeUnreachableError('its-text'), 503],
    [new KubeApiError('its-text', 429, 'TooManyRequests'), 503],
    [new KubeApiError('its-text', 500, 'InternalError'), 503],
    [new KubeApiError('its-text', 403, 'Forbidden'), 403],
    [new KubeApiError('its-text', 422, 'Invalid'), 422],
    [new KubeApiError('its-text', 404, 'NotFound'), 404],
    [new KubeApiError('its-text', 400, 'BadRequest'), 400],
    [new KubeApiError('its-text', 401, 'Unauthorized'), 503],
    [new KubeApiError('its-text', 409, 'Conflict'), 409],
    [new KubeApiError('its-text', 418, 'Teapot'), undefined],
    [new TypeError('its-text'), undefined],
  ])('%p', (error, status) => {
    const outcome = outcomeOfError(error);
    expect(outcome?.kind === 'problem' ? outcome.problem.status : undefined).toBe(status);
    expect(JSON.stringify(outcome ?? '')).not.toContain('its-text');
  });
});

describe('createRecentAnswers', () => {
  it('keeps so many, the newest, and forgets failures', async () => {
    const recent = createRecentAnswers<number>({ keepMs: 100, max: 2 }, () => 0);
    let asked = 0;
    const ask = () => Promise.resolve((asked += 1));
    for (const key of ['a', 'b', 'c', 'b', 'c', 'a']) await recent.get(key, ask);
    expect(asked).toBe(4);
    await expect(recent.get('d', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await recent.get('d', ask);
    expect(asked).toBe(5);
  });
});

describe('what is answered', () => {
  const watcher = {
    metadata: { name: 'mine', namespace: 'shop', uid: 'uid', creationTimestamp: 'then' },
    spec: {
      jobName: 'train',
      timeoutSeconds: 0,
      webhooks: [
        { id: '1', webhook: 'a', timeoutSeconds: 0 },
        { id: '2', webhook: 'b', timeoutSeconds: 5 },
      ],
    },
    status: { phase: 'PARTIALLY_COMPLETED', webhooks: [{ id: '2', status: 'CALLED', calledAt: 'at' }] },
  } as unknown as JobDoneWatcher;

  it('leaves out what is 0 or null, and pairs triggers with their states by id', () => {
    expect(toWatcherAnswer(watcher, (name) => `id-of-${name}`)).toEqual({
      id: 'uid',
      jobName: 'train',
      status: 'PARTIALLY_COMPLETED',
      createdAt: 'then',
      jobDoneTriggerWebhooks: [
        { id: '1', webhookId: 'id-of-a', status: 'NOT_CALLED' },
        { id: '2', webhookId: 'id-of-b', timeoutSeconds: 5, status: 'CALLED', calledAt: 'at' },
      ],
    });
  });

  it('an object that REST has made is known by its name, one that a person has made by its UID', () => {
    const uuid = '00000000-0000-4000-8000-000000000000';
    expect([idOf({ name: uuid, uid: 'u' }), idOf({ name: 'reports', uid: 'u' })]).toEqual([uuid, 'u']);
  });
});

describe('readId', () => {
  const uuid = 'abcdef00-0000-4000-8000-000000000000';
  it.each([
    [uuid, uuid],
    [uuid.toUpperCase(), uuid],
    ['reports', 'reports'],
    ['Reports', 'Reports'],
  ])('%s: %s', (given, expected) => expect(readId(given)).toBe(expected));
});

describe('buildOpenApi', () => {
  const document = buildOpenApi();
  const text = JSON.stringify(document);

  it('refers to nothing that is not there', () => {
    const { schemas } = document.components as { schemas: Record<string, unknown> };
    const references = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
    expect(references.length).toBeGreaterThan(5);
    expect(new Set(references)).toEqual(new Set(Object.keys(schemas)));
  });

  it('has the six operations of the contract, each with its success and its problems', () => {
    const paths = document.paths as Record<string, Record<string, { responses: Record<string, unknown> }>>;
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => {
        const success = Object.keys(responses).filter((code) => code.startsWith('2'));
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '503']));
        return `${method} ${path} ${success.join()}`;
      }),
    );
    expect(operations.sort()).toEqual([
      'get /job-done-watchers 200',
      'get /job-done-watchers/{id} 200',
      'get /webhooks 200',
      'get /webhooks/{id} 200',
      'post /job-done-watchers 200,201',
      'post /webhooks 201',
    ]);
  });
});
