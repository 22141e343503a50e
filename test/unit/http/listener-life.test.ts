import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { createHttpListener, createHttpsListener, type Listener } from '../../../src/http/index.ts';
import { createRecordingLogger } from '../callbacks/recorders.ts';
import { createListeners, createTestTls, openRaw, until, type TestTls } from './listener-setting.ts';

// Less than the time limits that hold where a test sets none: whoever waits one of those out is found.
jest.setTimeout(14_000);

const listeners = createListeners();
let tls: TestTls;
beforeAll(async () => {
  tls = await createTestTls();
});
afterAll(() => listeners.stopAll());

interface Got {
  readonly status: number | undefined;
  readonly connection: string | undefined;
  readonly fingerprint: string;
  readonly reused: boolean;
}

function get(listener: Listener, agent: Agent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: '127.0.0.1', port: listener.port(), agent, ca: tls.ca },
      (response) => {
        // A connection that closes afterwards has already lost its certificate at the end of the answer.
        const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
        const { statusCode: status, headers } = response;
        response.resume().on('end', () => {
          resolve({
            status,
            connection: headers.connection,
            fingerprint: fingerprint256,
            reused: request.reusedSocket,
          });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject).end();
  });
}

/** Clients that send one request after the other until told to stop. */
function load(listener: Listener, agents: readonly Agent[]) {
  const got: Got[] = [];
  const failed: unknown[] = [];
  let on = true;
  const done = Promise.all(
    agents.map(async (agent) => {
      while (on)
        await get(listener, agent).then(
          (one) => got.push(one),
          (error: unknown) => {
            failed.push(error);
            on = false;
          },
        );
    }),
  );
  return { got, failed, stop: () => ((on = false), done) };
}

const keepAliveAgents = (count: number) =>
  Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));

describe('certificates', () => {
  it('are swapped live: new handshakes see the new one, open connections go on, nothing fails', async () => {
    const listener = await listeners.https(tls, {});
    const kept = keepAliveAgents(4);
    const fresh = Array.from({ length: 2 }, () => new Agent({ keepAlive: false, maxCachedSessions: 0 }));
    const first = await get(listener, kept[0] as Agent);
    const running = load(listener, [...kept, ...fresh]);
    for (let i = 0; i < 20; i++) {
      await tls.rotate();
      const seen = running.got.length;
      await until(() => running.failed.length > 0 || running.got.length >= seen + 20);
    }
    await running.stop();
    expect(running.failed).toEqual([]);
    expect(new Set(running.got.map(({ status }) => status))).toEqual(new Set([200]));
    // The kept connections never made a second handshake …
    const last = await get(listener, kept[0] as Agent);
    expect([last.reused, last.fingerprint]).toEqual([true, first.fingerprint]);
    // … and the fresh ones saw many certificates.
    expect(new Set(running.got.map(({ fingerprint }) => fingerprint)).size).toBeGreaterThan(5);
    for (const agent of [...kept, ...fresh]) agent.destroy();
  }, 60_000);

  it('that cannot be used are logged and the one before stays', async () => {
    const own = await createTestTls();
    const logger = createRecordingLogger();
    const listener = await listeners.https(own, { logger });
    own.breakIt();
    const agent = new Agent({ ca: own.ca });
    const request = httpsRequest({ host: '127.0.0.1', port: listener.port(), agent }).end();
    const [response] = (await once(request, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(200);
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(JSON.stringify(logger.lines)).not.toContain(own.current().key);
    agent.destroy();
  });

  it('that are broken at the start reject it, and are not watched after the stop', async () => {
    const own = await createTestTls();
    own.breakIt();
    const options = { name: 'test', host: '127.0.0.1', port: 0, onRequest: () => undefined, tls: own };
    await expect(createHttpsListener(options).start(new AbortController().signal)).rejects.toThrow();

    const fine = await createTestTls();
    const logger = createRecordingLogger();
    const listener = await listeners.https(fine, { logger });
    await listener.stop();
    await fine.rotate();
    expect(logger.lines.filter(({ message }) => message === 'certificate swapped')).toEqual([]);
  });
});

describe('start', () => {
  it('says what is wrong when the port is in use', async () => {
    const first = await listeners.http({});
    const second = createHttpListener({
      name: 'second',
      host: '127.0.0.1',
      port: first.port(),
      onRequest: () => undefined,
    });
    await expect(second.start(new AbortController().signal)).rejects.toThrow(
      `second: cannot listen on 127.0.0.1:${first.port()}: the port is in use`,
    );
    expect(second.ready()).toBe(false);
  });
});

describe('stop', () => {
  it('under load fails no request: answers say Connection: close, connections end', async () => {
    const listener = await listeners.https(tls, {
      onRequest: (_request, response) => void setTimeout(() => response.end('ok'), 2),
      limits: { idleGraceMs: 20_000, drainTimeoutMs: 40_000 },
    });
    const agents = keepAliveAgents(8);
    const closing: Got[] = [];
    let sent = 0;
    const clients = agents.map(async (agent) => {
      for (;;) {
        sent++;
        const got = await get(listener, agent);
        expect(got.status).toBe(200);
        // The last word on this connection: a client opens the next one at another replica.
        if (got.connection === 'close') return closing.push(got);
      }
    });
    await until(() => sent >= 200);
    await listener.stop();
    await Promise.all(clients);
    expect(closing).toHaveLength(8);
    expect(listener.connections()).toBe(0);
    expect(listener.ready()).toBe(false);
    for (const agent of agents) agent.destroy();
  });

  it('closes idle and silent connections after the grace, refuses new ones', async () => {
    const listener = await listeners.http({ limits: { idleGraceMs: 50, drainTimeoutMs: 30_000 } });
    const port = listener.port();
    const idle = await openRaw(port);
    idle.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle.socket, 'data');
    const silent = await openRaw(port);
    await listener.stop();
    await Promise.all([idle.closed, silent.closed]);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  it('cuts what is still open at the drain time limit; a second call is the same', async () => {
    const logger = createRecordingLogger();
    let isBegun = false;
    const listener = await listeners.http({
      logger,
      onRequest: () => {
        isBegun = true;
      },
      limits: { idleGraceMs: 10, drainTimeoutMs: 100 },
    });
    const hanging = await openRaw(listener.port());
    hanging.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => isBegun);
    await Promise.all([listener.stop(), listener.stop()]);
    await hanging.closed;
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('of the process at once cuts everything', async () => {
    const cut = new AbortController();
    const listener = createHttpListener({
      name: 'cut',
      host: '127.0.0.1',
      port: 0,
      onRequest: () => undefined,
    });
    await listener.start(cut.signal);
    const hanging = await openRaw(listener.port());
    hanging.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const stopped = listener.stop();
    cut.abort();
    await stopped;
    await hanging.closed;
    expect(listener.connections()).toBe(0);
  });
});

describe('a handler that fails', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('secret detail');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret detail'))],
  ])(
    '%s: 500 without the reason, a log line with it, the next request is served',
    async (_name, onRequest) => {
      const logger = createRecordingLogger();
      const listener = await listeners.http({ onRequest, logger });
      for (let i = 0; i < 2; i++) {
        const response = await fetch(`http://127.0.0.1:${listener.port()}/`);
        expect(response.status).toBe(500);
        expect(await response.text()).not.toContain('secret');
      }
      expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
    },
  );
});
