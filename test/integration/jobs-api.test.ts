import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { JOB_DONE_WATCHERS } from '../../src/jobs/index.ts';
import {
  eventually,
  NAMESPACE,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';

// The contract, call by call, over HTTP, on a real API server, against the process as it is deployed and with its rights alone.

jest.setTimeout(90_000);
let setting: JobsSetting;
let replicas: JobsReplica[];
let receiver: Receiver;
beforeAll(async () => {
  setting = await startJobsSetting();
  receiver = await startReceiver();
  replicas = await Promise.all([setting.replica(), setting.replica(), setting.replica()]);
}, 180_000);
afterAll(async () => {
  await setting.stop();
  await receiver.stop();
});

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: unknown;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  replica = 0,
): Promise<Answer> {
  const response = await fetch(`${replicas[replica]?.baseUrl ?? ''}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    redirect: 'manual',
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: text.startsWith('{') || text.startsWith('[') ? (JSON.parse(text) as unknown) : text,
  };
}

async function newWebhook(more: object = {}): Promise<{ readonly id: string; readonly createdAt: string }> {
  const { status, body } = await call('POST', '/webhooks', { url: `${receiver.url}/legacy`, ...more });
  expect(status).toBe(201);
  return body as { id: string; createdAt: string };
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

describe('webhooks', () => {
  it('POST answers 201 with all members; GET one and all show the same', async () => {
    const created = await call('POST', '/webhooks', {
      url: `${receiver.url}/a`,
      requestBody: '{"a":1}',
      description: 'd',
    });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      id: expect.any(String),
      url: `${receiver.url}/a`,
      requestBody: '{"a":1}',
      description: 'd',
      createdAt: expect.stringMatching(ISO),
    });
    const { id } = created.body as { id: string };
    expect(created.headers.get('location')).toBe(`/webhooks/${id}`);
    // Each replica shows it at once.
    for (const replica of [0, 1, 2]) {
      expect((await call('GET', `/webhooks/${id}`, undefined, {}, replica)).body).toEqual(created.body);
      expect((await call('GET', '/webhooks', undefined, {}, replica)).body).toContainEqual(created.body);
    }
  });

  it('only url is required; unknown members are ignored', async () => {
    const { status, body } = await call('POST', '/webhooks', {
      url: receiver.url,
      unknown: { a: 1 },
      id: 'mine',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ requestBody: '', description: '' });
    expect(body).not.toMatchObject({ id: 'mine' });
  });

  it.each<[string, unknown, number, Record<string, string>?]>([
    ['no JSON', '{', 400],
    ['an empty body', '', 400],
    ['an array', [], 400],
    ['no url', {}, 400],
    ['a url that is no text', { url: 1 }, 400],
    ['a requestBody that is no text', { url: 'http://a.example/', requestBody: {} }, 400],
    ['null as description', { url: 'http://a.example/', description: null }, 400],
    ['a url that is none', { url: 'nonsense' }, 422],
    ['another scheme', { url: 'ftp://a.example/' }, 422],
    ['user information', { url: 'http://user:secret@a.example/' }, 422],
    ['the metadata service', { url: 'http://169.254.169.254/latest' }, 422],
    ['the metadata service in decimal', { url: 'http://2852039166/latest' }, 422],
    ['the metadata service as mapped IPv6', { url: 'http://[::ffff:169.254.169.254]/' }, 422],
    ['no address', { url: 'http://0.0.0.0/' }, 422],
    ['link-local IPv6', { url: 'http://[fe80::1]/' }, 422],
    ['another media type', 'a=b', 415, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['compressed', '{}', 415, { 'content-encoding': 'gzip' }],
    ['too large', { url: 'http://a.example/', requestBody: 'x'.repeat(600_000) }, 413],
    ['a requestBody that is too large', { url: 'http://a.example/', requestBody: 'x'.repeat(70_000) }, 400],
  ])('%s is refused', async (_name, body, status, headers = {}) => {
    const answer = await call('POST', '/webhooks', body, headers);
    expect(answer.status).toBe(status);
    expect(answer.type).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });
});

describe('watchers', () => {
  it('POST answers 201, leaving out what is 0 or null; GET one is an object, GET all an array with 200', async () => {
    const webhook = await newWebhook();
    const created = await call('POST', '/job-done-watchers', {
      jobName: 'train',
      jobDoneTriggerWebhooks: [{ webhookId: webhook.id }, { webhookId: webhook.id, timeoutSeconds: 60 }],
      unknown: true,
    });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      id: expect.any(String),
      jobName: 'train',
      status: 'PENDING',
      createdAt: expect.stringMatching(ISO),
      jobDoneTriggerWebhooks: [
        { id: expect.any(String), webhookId: webhook.id, status: 'NOT_CALLED' },
        { id: expect.any(String), webhookId: webhook.id, timeoutSeconds: 60, status: 'NOT_CALLED' },
      ],
    });
    const { id } = created.body as { id: string };
    const one = await call('GET', `/job-done-watchers/${id}`, undefined, {}, 1);
    expect(one).toMatchObject({ status: 200, body: created.body });
    const all = await call('GET', '/job-done-watchers', undefined, {}, 2);
    expect(all.status).toBe(200);
    expect(all.body).toContainEqual(created.body);
  });

  it('the list of webhooks may be empty; timeoutSeconds reaches to the end of 32 bits', async () => {
    const body = { jobName: 'empty', timeoutSeconds: 4_294_967_295, jobDoneTriggerWebhooks: [] };
    const answer = await call('POST', '/job-done-watchers', body);
    expect(answer).toMatchObject({
      status: 201,
      body: { timeoutSeconds: 4_294_967_295, jobDoneTriggerWebhooks: [] },
    });
  });

  it.each<[string, unknown, number, Record<string, string>?]>([
    ['no jobName', { jobDoneTriggerWebhooks: [] }, 400],
    ['no list', { jobName: 'a' }, 400],
    ['a negative timeout', { jobName: 'a', timeoutSeconds: -1, jobDoneTriggerWebhooks: [] }, 400],
    [
      'a timeout of 33 bits',
      { jobName: 'a', timeoutSeconds: 4_294_967_296, jobDoneTriggerWebhooks: [] },
      400,
    ],
    ['half a second', { jobName: 'a', timeoutSeconds: 0.5, jobDoneTriggerWebhooks: [] }, 400],
    ['a webhookId that is no text', { jobName: 'a', jobDoneTriggerWebhooks: [{ webhookId: 1 }] }, 400],
    ['a webhook without id', { jobName: 'a', jobDoneTriggerWebhooks: [{}] }, 400],
    [
      'more webhooks than may be',
      { jobName: 'a', jobDoneTriggerWebhooks: Array(101).fill({ webhookId: UNKNOWN }) },
      400,
    ],
    ['a jobName that is no DNS-1123 name', { jobName: 'A_b', jobDoneTriggerWebhooks: [] }, 422],
    ['an unknown webhook', { jobName: 'a', jobDoneTriggerWebhooks: [{ webhookId: UNKNOWN }] }, 422],
    ['an empty key', { jobName: 'a', jobDoneTriggerWebhooks: [] }, 400, { 'idempotency-key': '' }],
    ['another media type', 'x', 415, { 'content-type': 'text/plain' }],
  ])('%s is refused', async (_name, body, status, headers = {}) => {
    const answer = await call('POST', '/job-done-watchers', body, headers);
    expect(answer.status).toBe(status);
    expect(answer.type).toBe('application/problem+json');
  });

  it('filters by jobName and status, and both', async () => {
    for (const jobName of ['filter-a', 'filter-a', 'filter-b']) {
      await call('POST', '/job-done-watchers', { jobName, jobDoneTriggerWebhooks: [] });
    }
    const names = async (query: string) => {
      const { status, body } = await call('GET', `/job-done-watchers?${query}`);
      expect(status).toBe(200);
      return (body as { jobName: string }[]).map(({ jobName }) => jobName);
    };
    expect(await names('jobName=filter-a')).toEqual(['filter-a', 'filter-a']);
    expect(await names('jobName=filter-b&status=PENDING')).toEqual(['filter-b']);
    expect(await names('jobName=filter-a&status=COMPLETED')).toEqual([]);
    expect(await names('jobName=nobody')).toEqual([]);
    expect(await names('jobName=No%20Name%2C')).toEqual([]);
    expect((await call('GET', '/job-done-watchers?status=DONE')).status).toBe(400);
  });

  it('long lists come in pages', async () => {
    const seen: string[] = [];
    let path: string | undefined = '/job-done-watchers?limit=2&jobName=filter-a';
    while (path !== undefined) {
      const { status, body, headers }: Answer = await call('GET', path);
      expect(status).toBe(200);
      seen.push(...(body as { id: string }[]).map(({ id }) => id));
      path = /<(.*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
    }
    expect(new Set(seen).size).toBe(2);
    for (const query of ['limit=0', 'limit=x', 'limit=99999', 'continue=nonsense', 'continue=']) {
      expect((await call('GET', `/webhooks?${query}`)).status).toBe(400);
    }
  });
});

describe('ids, paths, methods', () => {
  it.each([
    ['GET', '/webhooks/nonsense', 400],
    ['GET', `/webhooks/${UNKNOWN}`, 404],
    ['GET', '/job-done-watchers/nonsense', 400],
    ['GET', `/job-done-watchers/${UNKNOWN}`, 404],
    ['GET', '/nothing', 404],
    ['GET', '/webhooks/%zz', 400],
    ['DELETE', '/webhooks', 405],
    ['PUT', `/webhooks/${UNKNOWN}`, 405],
    ['PATCH', '/job-done-watchers', 405],
    ['POST', `/job-done-watchers/${UNKNOWN}`, 405],
    ['GET', '/webhooks?namespace=kube-system', 403],
    ['GET', '/webhooks?namespace=No%20Name', 400],
  ])('%s %s answers %i', async (method, path, status) => {
    const answer = await call(method, path);
    expect(answer).toMatchObject({ status, type: 'application/problem+json' });
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET/);
  });

  it('serves its OpenAPI document and a page that needs nothing from elsewhere', async () => {
    expect(await call('GET', '/openapi.json')).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
    const page = await call('GET', '/docs');
    expect(page).toMatchObject({ status: 200, type: 'text/html; charset=utf-8' });
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect((await call('GET', '/docs/page.js')).status).toBe(200);
  });
});

describe('the Idempotency-Key', () => {
  it('is any text; 50 parallel posts over 3 replicas make one watcher', async () => {
    const webhook = await newWebhook();
    const body = {
      jobName: 'cron-1234',
      jobDoneTriggerWebhooks: [{ webhookId: webhook.id, timeoutSeconds: 0 }],
    };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        call('POST', '/job-done-watchers', body, { 'idempotency-key': 'cron-1234' }, n % 3),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(49);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    const { items } = await setting.admin.list(JOB_DONE_WATCHERS, NAMESPACE, {
      fieldSelector: 'spec.jobName=cron-1234',
    });
    expect(items).toHaveLength(1);
  });

  it('with another request is refused; the order of members does not matter', async () => {
    const key = { 'idempotency-key': 'ключ, any text: 1' };
    const encoded = { 'idempotency-key': Buffer.from(key['idempotency-key']).toString('latin1') };
    const first = await call(
      'POST',
      '/job-done-watchers',
      { jobName: 'key-a', jobDoneTriggerWebhooks: [] },
      encoded,
    );
    expect(first.status).toBe(201);
    const again = await call(
      'POST',
      '/job-done-watchers',
      '{"jobDoneTriggerWebhooks":[],"timeoutSeconds":0,"jobName":"key-a"}',
      encoded,
      1,
    );
    expect(again).toMatchObject({ status: 200, body: first.body });
    const other = await call(
      'POST',
      '/job-done-watchers',
      { jobName: 'key-b', jobDoneTriggerWebhooks: [] },
      encoded,
    );
    expect(other.status).toBe(422);
  });

  it('of a Job that was recreated means the new one', async () => {
    const key = { 'idempotency-key': 'again' };
    const body = { jobName: 'again', jobDoneTriggerWebhooks: [] };
    await setting.createJob('again');
    const post = () => call('POST', '/job-done-watchers', body, key);
    // The cache of the replica has to have seen the Job.
    await eventually('the first watcher', async () => [200, 201].includes((await post()).status));
    await setting.finishJob('again');
    const first = (await post()).body as { id: string };
    await eventually(
      'COMPLETED',
      async () => ((await post()).body as { status: string }).status === 'COMPLETED',
    );
    await setting.deleteJob('again');
    const uid = await setting.createJob('again');
    await eventually('a new watcher', async () => ((await post()).body as { id: string }).id !== first.id);
    const second = (await post()).body as { id: string };
    expect((await setting.watcher(second.id))?.spec.jobUid).toBe(uid);
  });
});

describe('who may call', () => {
  let strict: JobsReplica;
  const as = async (account: string, audience = 'krake-hooks') => {
    const { stdout } = await setting.controlPlane.kubectl([
      '-n',
      NAMESPACE,
      'create',
      'token',
      account,
      `--audience=${audience}`,
    ]);
    return { authorization: `Bearer ${stdout.trim()}` };
  };
  const get = async (headers: Record<string, string>, query = '') => {
    const response = await fetch(`${strict.baseUrl}/webhooks${query}`, { headers });
    return response.status;
  };
  beforeAll(async () => {
    strict = await setting.replica({ 'jobs.anonymousNamespaces': '' });
    for (const account of ['allowed', 'nobody']) {
      await setting.controlPlane.kubectl(['-n', NAMESPACE, 'create', 'serviceaccount', account]);
    }
    await setting.controlPlane.kubectl([
      '-n',
      NAMESPACE,
      'create',
      'rolebinding',
      'allowed',
      '--clusterrole=krake-hooks-job-webhooks',
      `--serviceaccount=${NAMESPACE}:allowed`,
    ]);
    await setting.controlPlane.kubectl(['create', 'namespace', 'elsewhere']);
    await setting.controlPlane.kubectl(['label', 'namespace', 'elsewhere', 'hooks.krake.dev/enabled=true']);
  }, 60_000);

  it('nobody without a token', async () => {
    expect(await get({})).toBe(401);
    expect(await get({ authorization: 'Bearer nonsense' })).toBe(401);
    expect(await get({ authorization: 'Basic dTpw' })).toBe(401);
  });

  it('a service account with the rights, in its own namespace and in no other', async () => {
    const headers = await as('allowed');
    expect(await get(headers)).toBe(200);
    expect(await get(headers, `?namespace=${NAMESPACE}`)).toBe(200);
    expect(await get(headers, '?namespace=elsewhere')).toBe(403);
  });

  it('none without the rights, and no token of another audience', async () => {
    expect(await get(await as('nobody'))).toBe(403);
    expect(await get(await as('allowed', 'https://kubernetes.default.svc'))).toBe(401);
  });
});
