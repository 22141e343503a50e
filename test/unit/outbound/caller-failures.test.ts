import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ApiServerAddress, Resolution } from '../../../src/outbound/index.ts';
import { createTestCaller, createTestServers, waitUntil, type Behaviour } from './caller-setting.ts';

/** Far beyond the limits that are set here, far below those that hold without them. */
const HANGS_MS = 9_000;

const servers = createTestServers();
jest.setTimeout(60_000);
afterEach(() => servers.stopAll());

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const CANARY = 'canary-3f1c';

describe('a call that brings no answer', () => {
  const hostile: readonly (readonly [string, Behaviour, string])[] = [
    ['never answers', () => undefined, 'answer-timeout'],
    [
      'sends its head a byte at a time',
      (socket) => {
        let sent = 0;
        const timer = setInterval(() => socket.write(OK.charAt(sent++)), 50);
        socket.on('close', () => clearInterval(timer));
      },
      'answer-timeout',
    ],
    [
      'sends interim answers only',
      (socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 50);
        socket.on('close', () => clearInterval(timer));
      },
      'answer-timeout',
    ],
    ['closes', (socket) => socket.end(), 'closed'],
    ['resets', (socket) => socket.resetAndDestroy(), 'closed'],
    ['closes within its head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'), 'closed'],
    ['sends no HTTP', (socket) => socket.write(`220 ${CANARY} ESMTP\r\n`), 'bad-answer'],
    [
      'sends an endless head',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`),
      'bad-answer',
    ],
    [
      'sends endless headers',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}`),
      'bad-answer',
    ],
    [
      'changes the protocol',
      (socket) => socket.write('HTTP/1.1 101 Go\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      'closed',
    ],
  ];
  it.each(hostile)('as the server %s', async (_what, behave, reason) => {
    const server = await servers.http(behave);
    const { call, outcomes } = createTestCaller();
    const startedAt = performance.now();
    const result = await call(`http://127.0.0.1:${server.port}/${CANARY}?${CANARY}`, {
      // Only who waits for the limit meets it, however long the machine stands still.
      answerTimeoutMs: reason === 'answer-timeout' ? 300 : 20_000,
      headers: { authorization: CANARY },
      body: CANARY,
    });
    expect(result).toMatchObject({ kind: 'failed', reason });
    expect(performance.now() - startedAt).toBeLessThan(HANGS_MS);
    expect(JSON.stringify(result)).not.toContain(CANARY);
    expect(outcomes).toEqual([reason]);
    await server.allClosed();
  });

  it('as nobody listens', async () => {
    const server = await servers.http(() => undefined);
    await servers.stopAll();
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`);
    expect(result).toMatchObject({
      kind: 'failed',
      reason: 'connect',
      message: expect.stringContaining('refused'),
    });
  });

  it('as its address answers to nothing', async () => {
    // A backlog of nothing but connections that nobody accepts would need luck; TLS that never begins is the same to the caller.
    const server = await servers.silent();
    const result = await createTestCaller().call(`https://127.0.0.1:${server.port}/`, {
      connectTimeoutMs: 200,
    });
    expect(result).toMatchObject({ kind: 'failed', reason: 'connect-timeout' });
    expect(result.durationMs).toBeLessThan(HANGS_MS);
    await server.allClosed();
  });

  it.each([
    ['', 'invalid-url'],
    ['/path', 'invalid-url'],
    ['ftp://example.org/', 'invalid-url'],
    ['file:///etc/passwd', 'invalid-url'],
    ['gopher://127.0.0.1:70/', 'invalid-url'],
    [`http://user:${CANARY}@127.0.0.1/`, 'invalid-url'],
    [`http://${CANARY}@127.0.0.1/`, 'invalid-url'],
    ['http://127.0.0.1:0/', 'invalid-url'],
    ['http://127.0.0.1:99999/', 'invalid-url'],
    ['http://[fe80::1%25eth0]/', 'invalid-url'],
  ])('as the URL is %s', async (url, reason) => {
    const result = await createTestCaller().call(url);
    expect(result).toMatchObject({ kind: 'failed', reason });
    expect(JSON.stringify(result)).not.toContain(CANARY);
  });

  it('as the address to connect to is a name', async () => {
    const connectTo = { address: 'localhost', port: 80 };
    expect(await createTestCaller().call('http://a/', { connectTo })).toMatchObject({
      reason: 'invalid-url',
    });
  });

  it.each([
    [{ Host: 'other' }, 'Host'],
    [{ 'Transfer-Encoding': 'chunked' }, 'Transfer-Encoding'],
    [{ 'content-length': '5' }, 'content-length'],
    [{ 'x-a': `${CANARY}\r\nx-b: 1` }, 'x-a'],
    [{ 'x-a': `${CANARY}€` }, 'x-a'],
    [{ 'x a': CANARY }, 'x a'],
  ])('as the headers %j cannot be sent', async (headers, named) => {
    const server = await servers.http((socket) => socket.end(OK));
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, { headers });
    expect(result).toMatchObject({ reason: 'invalid-request', message: expect.stringContaining(named) });
    expect(JSON.stringify(result)).not.toContain(CANARY);
    expect(server.connections()).toBe(0);
  });
});

describe('an address that is refused', () => {
  it.each([
    ['loopback', 'http://127.0.0.1:PORT/'],
    ['loopback, short', 'http://127.1:PORT/'],
    ['loopback, decimal', 'http://2130706433:PORT/'],
    ['loopback, octal', 'http://0177.0.0.1:PORT/'],
    ['loopback, hexadecimal', 'http://0x7f000001:PORT/'],
    ['loopback, full-width digits', 'http://１２７.0.0.1:PORT/'],
    ['loopback, IPv4-mapped', 'http://[::ffff:127.0.0.1]:PORT/'],
    ['loopback, IPv6', 'http://[::1]:PORT/'],
    ['unspecified', 'http://0.0.0.0:PORT/'],
    ['unspecified, IPv6', 'http://[::]:PORT/'],
    ['a metadata service', 'http://169.254.169.254:PORT/latest/meta-data'],
    ['link-local', 'http://[fe80::1]:PORT/'],
    ['multicast', 'http://224.0.0.1:PORT/'],
    ['broadcast', 'http://255.255.255.255:PORT/'],
  ])('%s: %s', async (_what, url) => {
    const server = await servers.http((socket) => socket.end(OK));
    const { call } = createTestCaller({ allowCidrs: [] });
    const result = await call(url.replace('PORT', String(server.port)));
    expect(result).toMatchObject({ kind: 'failed', reason: 'address-refused' });
    expect(server.connections()).toBe(0);
  });

  it('is refused also where the caller says where to connect to', async () => {
    const server = await servers.http((socket) => socket.end(OK));
    const connectTo = { address: '127.0.0.1', port: server.port };
    const result = await createTestCaller({ allowCidrs: [] }).call('http://example.org/', { connectTo });
    expect(result).toMatchObject({
      reason: 'address-refused',
      message: expect.stringContaining('127.0.0.1'),
    });
    expect(server.connections()).toBe(0);
  });

  it('is what a name of the API server leads to', async () => {
    const server = await servers.http((socket) => socket.end(OK));
    const apiServers: readonly ApiServerAddress[] = [{ address: '127.0.0.1', port: server.port }];
    const deps = { apiServers: () => Promise.resolve(apiServers) };
    const refused = await createTestCaller({ allowCidrs: ['127.0.0.2'] }, deps).call(
      `http://127.0.0.1:${server.port}/`,
    );
    expect(refused).toMatchObject({
      reason: 'address-refused',
      message: expect.stringContaining('API server'),
    });
  });

  it('is one among several of a name', async () => {
    const server = await servers.http((socket) => socket.end(OK));
    const resolveHost = () =>
      Promise.resolve<Resolution>({ kind: 'addresses', addresses: ['127.0.0.1', '169.254.169.254'] });
    const result = await createTestCaller({}, { resolveHost }).call(`http://trap.example:${server.port}/`);
    expect(result).toMatchObject({ reason: 'address-refused', message: expect.stringContaining('metadata') });
    expect(server.connections()).toBe(0);
  });
});

describe('a Service', () => {
  const named = (namespace: string) => () =>
    Promise.resolve<Resolution>({ kind: 'addresses', addresses: ['127.0.0.1'], namespace });

  it.each<[string, string, readonly string[] | undefined, boolean]>([
    ['of any namespace may be called', 'other', undefined, true],
    ['of the own namespace of this service may not', 'krake-system', undefined, false],
    ['not even when it is named', 'krake-system', ['krake-system'], false],
    ['of a namespace that is named may', 'reports', ['reports', '.'], true],
    ['of the namespace of who asks may', 'shop', ['reports', '.'], true],
    ['of another may not', 'other', ['reports', '.'], false],
    ['none may', 'shop', [], false],
  ])('%s', async (_what, namespace, inClusterNamespaces, allowed) => {
    const server = await servers.http((socket) => socket.end(OK));
    const { call } = createTestCaller(
      { ownNamespace: 'krake-system', ...(inClusterNamespaces && { inClusterNamespaces }) },
      { resolveHost: named(namespace) },
    );
    const url = `http://a.b:${server.port}/`;
    const result = await call(url, { namespace: 'shop' });
    expect(result).toMatchObject(allowed ? { status: 200, inCluster: true } : { reason: 'address-refused' });
    expect(server.connections()).toBe(allowed ? 1 : 0);
    // A URL that we have chosen ourselves.
    expect(await call(url)).toMatchObject({ status: 200 });
  });

  it('is looked for in the namespace of who asks', async () => {
    const asked: unknown[] = [];
    const resolveHost = (host: string, namespace?: string) => {
      asked.push([host, namespace]);
      return Promise.resolve<Resolution>({ kind: 'unknown' });
    };
    await createTestCaller({}, { resolveHost }).call('http://reports:8080/', { namespace: 'shop' });
    expect(asked).toEqual([['reports', 'shop']]);
  });
});

describe('a name', () => {
  it('that leads elsewhere after the check is not asked for again', async () => {
    const [checked, other] = [await servers.http((socket) => socket.end(OK)), '127.0.0.66'];
    let asked = 0;
    const resolveHost = () => {
      asked += 1;
      return Promise.resolve<Resolution>({
        kind: 'addresses',
        addresses: [asked === 1 ? '127.0.0.1' : other],
      });
    };
    const { call } = createTestCaller({ allowCidrs: ['127.0.0.1'] }, { resolveHost });
    expect(await call(`http://rebind.example:${checked.port}/`)).toMatchObject({ status: 200 });
    expect(asked).toBe(1);
    // The next call asks and checks anew.
    expect(await call(`http://rebind.example:${checked.port}/`)).toMatchObject({ reason: 'address-refused' });
    expect([asked, checked.connections()]).toEqual([2, 1]);
  });

  it('with several addresses is tried at each of them', async () => {
    const server = await servers.http((socket) => socket.end(OK));
    const resolveHost = () =>
      Promise.resolve<Resolution>({ kind: 'addresses', addresses: ['127.0.0.77', '::1', '127.0.0.1'] });
    const { call } = createTestCaller({ allowCidrs: ['127.0.0.0/8', '::1'] }, { resolveHost });
    expect(await call(`http://many.example:${server.port}/`)).toMatchObject({ status: 200 });
  });

  it.each([
    ['unknown', 'has no address'],
    ['no-answer', 'no name server'],
  ] as const)('that is %s', async (kind, words) => {
    const { call } = createTestCaller({}, { resolveHost: () => Promise.resolve({ kind }) });
    expect(await call('http://a.example/')).toMatchObject({
      reason: 'dns',
      message: expect.stringContaining(words),
    });
  });

  it('that is never answered ends with the time for connecting', async () => {
    const { call } = createTestCaller({}, { resolveHost: () => new Promise(() => undefined) });
    const result = await call('http://a.example/', { connectTimeoutMs: 100 });
    expect(result).toMatchObject({ reason: 'connect-timeout' });
    expect(result.durationMs).toBeLessThan(HANGS_MS);
  });
});

describe('giving up', () => {
  it.each(['resolving', 'connecting', 'waiting for the answer'])('ends a call while %s', async (phase) => {
    const silent = phase === 'connecting' ? await servers.silent() : await servers.http(() => undefined);
    const resolveHost =
      phase === 'resolving'
        ? () => new Promise<Resolution>(() => undefined)
        : () => Promise.resolve<Resolution>({ kind: 'addresses', addresses: ['127.0.0.1'] });
    const { call, load } = createTestCaller({}, { resolveHost });
    const abort = new AbortController();
    const scheme = phase === 'connecting' ? 'https' : 'http';
    const pending = call(`${scheme}://a.example:${silent.port}/`, { signal: abort.signal });
    await waitUntil(
      () => load()[0] === 1 && (phase === 'resolving' || silent.open() === 1),
      'no connection came',
    );
    abort.abort();
    expect(await pending).toMatchObject({ kind: 'failed', reason: 'aborted' });
    await silent.allClosed();
    expect(load()).toEqual([0, 0]);
  });

  it('ends a call that waits for its turn, and one that comes too late', async () => {
    const server = await servers.http(() => undefined);
    const { call, load } = createTestCaller({ maxConcurrentCalls: 1 });
    const url = `http://127.0.0.1:${server.port}/`;
    const first = call(url, { answerTimeoutMs: 300 });
    const abort = new AbortController();
    const second = call(url, { signal: abort.signal });
    await waitUntil(() => load()[1] === 1, 'nobody waits');
    abort.abort();
    expect(await second).toMatchObject({ reason: 'aborted' });
    expect(await first).toMatchObject({ reason: 'answer-timeout' });
    expect(await call(url, { signal: abort.signal })).toMatchObject({ reason: 'aborted' });
    expect(server.connections()).toBe(1);
  });

  it('happens to all when the caller is closed', async () => {
    const server = await servers.http(() => undefined);
    const { call, caller, load } = createTestCaller({ maxConcurrentCalls: 3 });
    const url = `http://127.0.0.1:${server.port}/`;
    const calls = Array.from({ length: 5 }, () => call(url));
    await waitUntil(() => server.open() === 3, 'not all have come');
    expect(load()).toEqual([3, 2]);
    await caller.close();
    const results = await Promise.all(calls);
    expect(results.map((result) => result.kind === 'failed' && result.reason)).toEqual(
      Array(5).fill('aborted'),
    );
    expect(await call(url)).toMatchObject({ reason: 'aborted' });
    await server.allClosed();
    expect(load()).toEqual([0, 0]);
  });
});
