import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startJobsSetting, type JobsReplica, type JobsSetting } from './jobs-setting.ts';
import { createCall, type Answer } from './jobs-api-call.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';

// The contract, call by call, over HTTP, on a real API server, against the process as it is deployed and with its rights alone.

jest.setTimeout(300_000);
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

const call = createCall(() => replicas);

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
    ['a scheme in upper case', { url: 'HTTP://a.example/' }, 422],
    ['a url without slashes', { url: 'http:a.example' }, 422],
    ['a url with blanks around it', { url: ' http://a.example/ ' }, 422],
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
