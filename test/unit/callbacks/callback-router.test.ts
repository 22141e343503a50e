import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createListeners, exchange } from '../http/listener-setting.ts';
import { sha256, startRouter, TOKEN, WEB, type RouterSetting } from './router-setting.ts';

const listeners = createListeners();
let setting: RouterSetting;
beforeEach(async () => {
  setting = await startRouter(listeners);
});
afterAll(() => listeners.stopAll());

const complete = `${WEB}/complete`;

describe('a proven signal', () => {
  it.each([
    ['JSON', { 'Content-Type': 'application/json' }],
    ['a form, as curl -d says', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['text in UTF-8', { 'Content-Type': 'text/plain;charset=UTF-8' }],
    ['nonsense', { 'Content-Type': ';;;' }],
    ['identity', { 'Content-Encoding': 'identity' }],
  ])('is 200 whatever the headers say: %s', async (_name, headers) => {
    const response = await setting.put(complete, { token: TOKEN }, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      namespace: 'shop',
      application: 'web',
      hook: 'complete',
      receivedAt: '2030-01-01T00:00:00.000Z',
    });
    expect(setting.stored).toEqual([
      {
        namespace: 'shop',
        name: 'web',
        application: setting.applications.get('shop/web'),
        grounds: { by: 'token', tokenSha256: sha256(TOKEN) },
        value: { receivedAt: '2030-01-01T00:00:00.000Z', provenBy: 'token' },
        countedPodUid: undefined,
      },
    ]);
  });

  it('is 200 without a Content-Type and chunked', async () => {
    const body = JSON.stringify({ token: TOKEN });
    const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const head = `PUT ${complete} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`;
    expect(await exchange(setting.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunked}`)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    expect(await exchange(setting.port, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  it('is answered only after the store has answered', async () => {
    let finish: (() => void) | undefined;
    setting.answerStore = ({ value }) =>
      new Promise((resolve) => {
        finish = () => resolve({ kind: 'stored', receivedAt: value.receivedAt, already: false });
      });
    let answered = false;
    const put = setting.put(complete, { token: TOKEN }).then((response) => {
      answered = true;
      return response;
    });
    while (finish === undefined) await new Promise(setImmediate);
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(answered).toBe(false);
    finish();
    expect((await put).status).toBe(200);
  });

  it('already stored is answered from the cache, in the same bytes', async () => {
    const first = await (await setting.put(complete, { token: TOKEN })).text();
    setting.setWeb({ signals: { complete: { receivedAt: '2030-01-01T00:00:00.000Z' } } });
    setting.clock.nowMs += 5_000;
    setting.cache.connected = false;
    const again = await setting.put(complete, { token: TOKEN });
    expect([again.status, await again.text()]).toEqual([200, first]);
    expect(setting.stored).toHaveLength(1);
  });

  it('sent by 200 replicas at once is stored once and answered 200 to all', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => setting.put(complete, { token: TOKEN })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
    expect(setting.stored).toHaveLength(1);
  });

  it('is stored again when the watch has brought another state, or did not bring it for 5 s', async () => {
    const put = async () => (await setting.put(complete, { token: TOKEN })).status;
    const stores: number[] = [];
    const record = () => stores.push(setting.stored.length);
    await put();
    await put();
    record();
    // For instance the controller, which took the signal away for a new run.
    setting.setWeb({});
    await put();
    await put();
    record();
    setting.clock.nowMs += 5_000;
    await put();
    record();
    expect(stores).toEqual([1, 2, 3]);
  });

  it('is accepted behind the path prefix of the external endpoint, and without it', async () => {
    const behind = await startRouter(listeners, { externalEndpoint: 'https://hooks.example.org/a.b/(c)/' });
    const statuses = [];
    for (const prefix of ['/a.b/(c)', '', '/axb/c', '/other'])
      statuses.push((await behind.put(`${prefix}${complete}`, { token: TOKEN })).status);
    expect(statuses).toEqual([200, 200, 404, 404]);
  });
});

describe('what is not proven', () => {
  const unproven: readonly (readonly [string, string, unknown])[] = [
    ['wrong', complete, { token: 'wrong' }],
    ['missing', complete, {}],
    ['empty', complete, { token: '' }],
    ['no string', complete, { token: 7 }],
    ['an array', complete, [TOKEN]],
    ['null', complete, 'null'],
    ['inherited', complete, `{"__proto__": {"token": "${TOKEN}"}}`],
    ['of another application', '/kubernetes/namespaces/shop/applications/other/complete', { token: TOKEN }],
    ['of another namespace', '/kubernetes/namespaces/other/applications/web/complete', { token: TOKEN }],
    ['void', '/kubernetes/namespaces/shop/applications/void/complete', { token: TOKEN }],
    ['for nobody', '/kubernetes/namespaces/shop/applications/unknown/complete', { token: TOKEN }],
    ['for no name', '/kubernetes/namespaces/shop/applications/a%2Fb/complete', { token: TOKEN }],
    ['for __proto__', '/kubernetes/namespaces/__proto__/applications/__proto__/complete', { token: TOKEN }],
    [
      'for a hook that is not enabled',
      '/kubernetes/namespaces/shop/applications/other/shutdown',
      { token: 'x' },
    ],
  ];

  it('is 401 in the same words, headers included', async () => {
    const answers = [];
    for (const [, path, body] of unproven) {
      const response = await setting.put(path, body);
      const headers = Object.fromEntries(response.headers);
      delete headers.date;
      answers.push(JSON.stringify([response.status, headers, await response.text()]));
    }
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toContain('401');
    expect(answers[0]).toContain('www-authenticate');
    expect(setting.stored).toEqual([]);
    expect(setting.metrics.answers.map(({ reason }) => reason)).toEqual([
      'token-wrong',
      ...Array<string>(6).fill('token-missing'),
      'token-wrong',
      'application-unknown',
      'token-void',
      ...Array<string>(3).fill('application-unknown'),
      'token-wrong',
    ]);
  });

  it('is 401 when the token turns out to be void while storing', async () => {
    setting.answerStore = () => Promise.resolve({ kind: 'void' });
    const late = await setting.put(complete, { token: TOKEN });
    const wrong = await setting.put(complete, { token: 'wrong' });
    expect([late.status, await late.text()]).toEqual([401, await wrong.text()]);
  });

  it.each([
    ['not-synced', { ready: false, connected: false }],
    ['disconnected', { ready: true, connected: false }],
  ])('is 503 with Retry-After while the cache is %s; a proven one is stored', async (reason, cache) => {
    setting.cache = cache;
    const response = await setting.put(complete, { token: 'perhaps new' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    expect(setting.metrics.answers.at(-1)).toMatchObject({ reason });
    expect((await setting.put(complete, { token: TOKEN })).status).toBe(200);
  });
});

describe('what cannot be', () => {
  it.each([
    ['GET', 'GET', complete, undefined, 405],
    ['POST', 'POST', complete, '{}', 405],
    ['OPTIONS', 'OPTIONS', complete, undefined, 405],
    ['an unknown hook', 'PUT', `${WEB}/restart`, '{}', 404],
    ['the root', 'PUT', '/', '{}', 404],
    ['more after the hook', 'PUT', `${complete}/now`, '{}', 404],
    [
      'a path that cannot be decoded',
      'PUT',
      '/kubernetes/namespaces/%ff/applications/web/complete',
      '{}',
      400,
    ],
    ['a form', 'PUT', complete, `token=${TOKEN}`, 400],
    ['nothing', 'PUT', complete, '', 400],
    ['half a body', 'PUT', complete, '{"token":', 400],
    ['invalid UTF-8', 'PUT', complete, new Uint8Array([0x7b, 0xff, 0x7d]), 400],
    ['100,000 arrays', 'PUT', complete, '['.repeat(60_000), 400],
    ['64 KiB and a byte', 'PUT', complete, `"${'x'.repeat(65_535)}"`, 413],
  ])('%s', async (_name, method, path, body, status) => {
    const response = await fetch(`http://127.0.0.1:${setting.port}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status, detail: expect.any(String) });
    expect(response.headers.get('allow')).toBe(status === 405 ? 'PUT' : null);
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect((await setting.put(complete, { token: TOKEN })).status).toBe(200);
  });

  it('64 KiB exactly is read', async () => {
    const padding = 'x'.repeat(65_536 - JSON.stringify({ token: TOKEN, padding: '' }).length);
    expect((await setting.put(complete, { token: TOKEN, padding })).status).toBe(200);
  });

  it('a content coding is 415', async () => {
    const response = await setting.put(complete, '{}', { headers: { 'Content-Encoding': 'gzip' } });
    expect(response.status).toBe(415);
  });

  it('a body that does not come is 408', async () => {
    const slow = await startRouter(listeners, { bodyTimeoutMs: 30 });
    const answer = await exchange(
      slow.port,
      `PUT ${complete} HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{"token"`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(slow.metrics.answers).toEqual([{ hook: 'complete', status: 408, reason: 'body-timeout' }]);
  });

  it('a hook that is not enabled is 409 and says what is', async () => {
    const path = '/kubernetes/namespaces/shop/applications/other/shutdown';
    const response = await setting.put(path, { token: 'of other' });
    expect(response.status).toBe(409);
    expect(await response.text()).toContain('enabled: complete');
  });

  it('503 with what the API server says of waiting, else 2 s', async () => {
    setting.answerStore = () =>
      Promise.resolve({ kind: 'unavailable', error: 'KubeApiError: busy', retryAfterSeconds: 9 });
    expect((await setting.put(complete, { token: TOKEN })).headers.get('retry-after')).toBe('9');
    setting.answerStore = () =>
      Promise.resolve({ kind: 'unavailable', error: 'refused', retryAfterSeconds: undefined });
    const response = await setting.put(complete, { token: TOKEN });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await response.text()).not.toContain('refused');
  });
});

describe('the log', () => {
  it('has one line for each decision, with its reason, and never a token', async () => {
    await setting.put(complete, { token: TOKEN });
    await setting.put(complete, { token: `${TOKEN}-wrong` });
    await setting.put(complete, `not JSON ${TOKEN}`);
    await setting.put(`/${TOKEN.length}`, { token: TOKEN });
    expect(setting.logger.lines.map(({ level, fields }) => [level, fields.reason, fields.status])).toEqual([
      ['info', 'stored', 200],
      ['info', 'token-wrong', 401],
      ['info', 'not-json', 400],
      ['info', 'no-such-path', 404],
    ]);
    expect(setting.logger.lines[0]?.fields).toMatchObject({
      namespace: 'shop',
      application: 'web',
      uid: 'uid-web',
      hook: 'complete',
      source: '127.0.0.1',
    });
    const logged = JSON.stringify(setting.logger.lines);
    expect(logged).not.toContain(TOKEN);
    expect(logged).not.toContain(sha256(TOKEN));
  });
});
