import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect as tlsConnect } from 'node:tls';
import {
  createListeners,
  createTestTls,
  exchange,
  openRaw,
  until,
  type RawConnection,
  type TestTls,
} from './listener-setting.ts';

// Less than the time limits that hold where a test sets none: whoever waits one of those out is found.
jest.setTimeout(9_000);

const GET_AND_CLOSE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const listeners = createListeners();
let tls: TestTls;
beforeAll(async () => {
  tls = await createTestTls();
});
afterAll(() => listeners.stopAll());

describe('a listener and hostile connections', () => {
  it.each([
    ['no HTTP', 'HELO mail\r\n\r\n', 400],
    ['a header without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['chunks that are none', 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
    [
      'two lengths',
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ])('%s is answered and closed', async (_name, bytes, status) => {
    const failures: string[] = [];
    const listener = await listeners.http({
      onRequest: (request) => void request.resume(),
      metrics: { connectionRefused: () => undefined, clientFailed: (_listener, why) => failures.push(why) },
    });
    expect(await exchange(listener.port(), bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    // Node itself answers a request without Host.
    expect(failures.length).toBe(_name === 'no Host' ? 0 : 1);
  });

  it.each([
    ['silent', ''],
    ['in the middle of a header', 'GET / HT'],
    ['in the middle of a body', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe'],
  ])('a connection that is %s ends at its time limit', async (_name, bytes) => {
    const listener = await listeners.http({
      onRequest: (request) => void request.resume(),
      limits: { headersTimeoutMs: 100, requestTimeoutMs: 100 },
    });
    expect(await exchange(listener.port(), bytes)).toMatch(/^HTTP\/1\.1 408 /);
    await until(() => listener.connections() === 0);
  });

  it('a TLS handshake that is not made ends at its time limit', async () => {
    const listener = await listeners.https(tls, { limits: { handshakeTimeoutMs: 100 } });
    const raw = await openRaw(listener.port());
    await raw.closed;
    expect(raw.received()).toBe('');
    await until(() => listener.connections() === 0);
  });

  it('connections of one address beyond the cap are closed, others are served', async () => {
    const refused: string[] = [];
    const listener = await listeners.https(tls, {
      limits: { maxConnectionsPerAddress: 5, handshakeTimeoutMs: 60_000 },
      metrics: { connectionRefused: (_name, reason) => refused.push(reason), clientFailed: () => undefined },
    });
    const half = await Promise.all(
      Array.from({ length: 300 }, () => openRaw(listener.port(), { from: '127.0.0.2' })),
    );
    await Promise.all(half.slice(5).map(({ closed }) => closed));
    expect(listener.connections()).toBe(5);
    expect(refused).toEqual(Array(295).fill('too-many-from-address'));
    expect(await get(listener.port())).toContain('200 OK');
    for (const { socket } of half) socket.destroy();
  }, 60_000);

  it('at the cap for all, the handshake that takes longest makes room where none is idle', async () => {
    const listener = await listeners.https(tls, { limits: { maxConnections: 20 } });
    const half = await Promise.all(Array.from({ length: 20 }, () => openRaw(listener.port())));
    await until(() => listener.connections() === 20);
    expect(await get(listener.port())).toContain('200 OK');
    await half[0]?.closed;
    for (const { socket } of half) socket.destroy();
  });

  it('at the cap for all, idle connections make room', async () => {
    const listener = await listeners.http({ limits: { maxConnections: 3 } });
    const idle = await idleConnections(listener.port(), 3);
    const newcomer = await openRaw(listener.port());
    newcomer.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(newcomer.socket, 'data');
    expect(newcomer.received()).toMatch(/^HTTP\/1\.1 200 /);
    await idle[0]?.closed;
    await until(() => listener.connections() === 3);
    for (const { socket } of [...idle, newcomer]) socket.destroy();
  });

  it('at the cap for all, the request whose body does not come makes room', async () => {
    const listener = await listeners.http({
      onRequest: async (request, response) => {
        await text(request);
        response.end('ok');
      },
      limits: { maxConnections: 3 },
    });
    const slow = await halfRequests(listener.port(), 3);
    for (let i = 0; i < 2; i++)
      expect(await exchange(listener.port(), GET_AND_CLOSE)).toMatch(/^HTTP\/1\.1 200 /);
    await slow[0]?.closed;
    slow[2]?.socket.write('lo');
    await until(() => slow[2]?.received().includes('HTTP/1.1 200 ') === true);
    for (const { socket } of slow) socket.destroy();
  });

  it('at the cap for all, who has just come is not the first to make room', async () => {
    const listener = await listeners.http({ limits: { maxConnections: 3 }, onRequest: holdBodies });
    const slow = await halfRequests(listener.port(), 2);
    const fresh = await openRaw(listener.port());
    const newcomers = [await openRaw(listener.port()), await openRaw(listener.port())];
    await Promise.all(slow.map(({ closed }) => closed));
    fresh.socket.write(GET_AND_CLOSE);
    await fresh.closed;
    expect(fresh.received()).toMatch(/^HTTP\/1\.1 200 /);
    for (const { socket } of newcomers) socket.destroy();
  });

  it('at the cap for all, a request that is whole is not cut for a new connection', async () => {
    const refused: string[] = [];
    const held: ServerResponse[] = [];
    const listener = await listeners.http({
      onRequest: (_request, response) => void held.push(response),
      limits: { maxConnections: 2 },
      metrics: { connectionRefused: (_name, reason) => refused.push(reason), clientFailed: () => undefined },
    });
    const whole = await Promise.all([openRaw(listener.port()), openRaw(listener.port())]);
    for (const { socket } of whole)
      socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    await until(() => held.length === 2);
    // One turn more, in which the parser sees the end of the last body.
    await new Promise(setImmediate);
    const newcomer = await openRaw(listener.port());
    await newcomer.closed;
    expect(refused).toEqual(['too-many']);
    const answers = whole.map(({ socket }) => once(socket, 'data'));
    for (const response of held) response.end('ok');
    await Promise.all(answers);
    // Both are idle now.
    expect(await exchangeHeld(listener.port())).toMatch(/^HTTP\/1\.1 200 /);
    for (const { socket } of whole) socket.destroy();

    async function exchangeHeld(port: number): Promise<string> {
      const answer = exchange(port, GET_AND_CLOSE);
      await until(() => held.length === 3);
      held[2]?.end('ok');
      return answer;
    }
  });

  it('a client is served as fast while 400 connections stand half open', async () => {
    const listener = await listeners.https(tls, {
      limits: { maxConnectionsPerAddress: Infinity, handshakeTimeoutMs: 60_000 },
    });
    const half = await Promise.all(Array.from({ length: 400 }, () => openRaw(listener.port())));
    for (const [i, { socket }] of half.entries())
      if (i % 2 === 0) socket.write(Buffer.from([0x16, 0x03, 0x01]));
    for (let i = 0; i < 20; i++) expect(await get(listener.port())).toContain('200 OK');
    expect(listener.connections()).toBeGreaterThanOrEqual(400);
    for (const { socket } of half) socket.destroy();
  }, 60_000);

  it('refuses TLS 1.1 and renegotiation', async () => {
    const listener = await listeners.https(tls, {});
    const options = { port: listener.port(), host: '127.0.0.1', ca: tls.ca };
    const old = tlsConnect({ ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    const [error] = (await once(old, 'error')) as [Error];
    expect(String(error)).toMatch(/version|protocol/i);

    const socket = tlsConnect({ ...options, maxVersion: 'TLSv1.2' });
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe('TLSv1.2');
    const renegotiated = new Promise<unknown>((resolve) => {
      socket.on('error', resolve).on('close', () => resolve('closed'));
      socket.renegotiate({}, (failure) => resolve(failure ?? 'renegotiated'));
    });
    expect(await renegotiated).not.toBe('renegotiated');
    socket.destroy();
  });

  function holdBodies(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'GET') response.end('ok');
    else request.resume();
  }

  /** Each has sent its header and a part of its body, one after the other. */
  async function halfRequests(port: number, count: number): Promise<readonly RawConnection[]> {
    const open: RawConnection[] = [];
    for (let i = 0; i < count; i++) {
      const raw = await openRaw(port);
      // The interim answer tells that the request is under way.
      raw.socket.write('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhel');
      await once(raw.socket, 'data');
      open.push(raw);
    }
    return open;
  }

  async function get(port: number): Promise<string> {
    const socket = tlsConnect({ port, host: '127.0.0.1', ca: tls.ca });
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    return answer;
  }

  async function idleConnections(port: number, count: number): Promise<readonly RawConnection[]> {
    const open: RawConnection[] = [];
    for (let i = 0; i < count; i++) {
      const raw = await openRaw(port);
      raw.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(raw.socket, 'data');
      open.push(raw);
    }
    return open;
  }
});
