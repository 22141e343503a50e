import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { createTestCaller, createTestServers, type Behaviour } from './caller-setting.ts';

/** Far beyond the limits that are set here, far below those that hold without them. */
const HANGS_MS = 9_000;

const servers = createTestServers();
jest.setTimeout(60_000);
afterEach(() => servers.stopAll());

const HELLO = 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nx-secret: 1\r\ncontent-length: 5\r\n\r\nhello';

describe('a call that is answered', () => {
  it('sends one request and brings the answer', async () => {
    const requests: string[] = [];
    const server = await servers.http((socket, request) => {
      requests.push(request);
      socket.write(HELLO); // and leaves the connection open
    });
    const { call, outcomes, load } = createTestCaller();
    const result = await call(`http://127.0.0.1:${server.port}/a%20b?c=d#e`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', 'webhook-id': 'm-1' },
      body: '{"ä":1}',
    });
    expect(result).toEqual({
      kind: 'answered',
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: 'hello',
      truncated: false,
      durationMs: expect.any(Number),
    });
    expect(requests).toHaveLength(1);
    const [head = '', body] = (requests[0] ?? '').split('\r\n\r\n');
    expect(body).toBe('{"ä":1}');
    expect(head.split('\r\n').sort()).toEqual([
      'PUT /a%20b?c=d HTTP/1.1',
      'accept: */*',
      'connection: close',
      'content-length: 8',
      'content-type: application/json',
      `host: 127.0.0.1:${server.port}`,
      'user-agent: krake-hooks/1.2.3',
      'webhook-id: m-1',
    ]);
    await server.allClosed();
    expect(outcomes).toEqual(['2xx']);
    expect(load()).toEqual([0, 0]);
  });

  it('goes where it is told, under the name of the URL', async () => {
    let host: string | undefined;
    const server = await servers.http((socket, request) => {
      host = /host: (.*)\r/.exec(request)?.[1];
      socket.end(HELLO);
    });
    const { call } = createTestCaller();
    const connectTo = { address: '127.0.0.1', port: server.port };
    expect(await call('http://shutdown.shop.svc:8080/x', { connectTo })).toMatchObject({ status: 200 });
    expect(host).toBe('shutdown.shop.svc:8080');
  });

  it('opens a connection for each call', async () => {
    const server = await servers.http((socket) => socket.write(HELLO));
    const { call } = createTestCaller();
    for (let index = 0; index < 5; index++) await call(`http://127.0.0.1:${server.port}/`);
    expect(server.connections()).toBe(5);
    await server.allClosed();
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %d', async (status) => {
    const other = await servers.http((socket) => socket.end(HELLO));
    const location = `http://127.0.0.1:${other.port}/${'x'.repeat(400)}`;
    const server = await servers.http((socket) =>
      socket.end(`HTTP/1.1 ${status} Go\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`),
    );
    const { call, outcomes } = createTestCaller();
    expect(await call(`http://127.0.0.1:${server.port}/`)).toMatchObject({
      kind: 'answered',
      status,
      headers: { location: location.slice(0, 256) },
    });
    expect(other.connections()).toBe(0);
    expect(outcomes).toEqual(['3xx']);
  });

  it('waits behind an interim answer', async () => {
    const server = await servers.http((socket) =>
      socket.end(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${HELLO}`),
    );
    expect(await createTestCaller().call(`http://127.0.0.1:${server.port}/`)).toMatchObject({
      status: 200,
      body: 'hello',
    });
  });
});

/** Writes again and again as fast as the other side takes it. */
function pour(socket: Parameters<Behaviour>[0], bytes: number): void {
  const chunk = Buffer.alloc(65_536, 'x');
  let left = bytes;
  const write = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', write);
        return;
      }
    }
  };
  write();
}

const OK = 'HTTP/1.1 200 OK\r\n';
const bodies: readonly (readonly [string, Behaviour, string])[] = [
  [
    '10 MB',
    (socket) => {
      socket.write(`${OK}content-length: 10485760\r\n\r\n`);
      pour(socket, 10_485_760);
    },
    'x'.repeat(1_024),
  ],
  [
    'no end',
    (socket) => {
      socket.write(`${OK}\r\n`);
      pour(socket, Infinity);
    },
    'x'.repeat(1_024),
  ],
  [
    'a byte now and then',
    (socket) => {
      socket.write(`${OK}content-length: 1000\r\n\r\na`);
      const timer = setInterval(() => socket.write('b'), 90);
      socket.on('close', () => clearInterval(timer));
    },
    expect.stringMatching(/^ab*$/) as unknown as string,
  ],
  ['nothing of what it promises', (socket) => socket.write(`${OK}content-length: 1000\r\n\r\n`), ''],
  [
    'half of what it promises, and closes',
    (socket) => socket.end(`${OK}content-length: 1000\r\n\r\n${'y'.repeat(500)}`),
    'y'.repeat(500),
  ],
  [
    'half of what it promises, and resets',
    (socket) => {
      socket.write(`${OK}content-length: 1000\r\n\r\nz`, () =>
        setTimeout(() => socket.resetAndDestroy(), 50),
      );
    },
    'z',
  ],
  [
    'broken chunks',
    (socket) => socket.write(`${OK}transfer-encoding: chunked\r\n\r\n1\r\nq\r\nnonsense\r\n`),
    'q',
  ],
];

describe('the status counts once the head has come, although the body', () => {
  it.each(bodies)('is %s', async (_what, behave, body) => {
    const server = await servers.http(behave);
    const { call, outcomes } = createTestCaller();
    const startedAt = performance.now();
    const result = await call(`http://127.0.0.1:${server.port}/`, {
      answerTimeoutMs: 10_000,
      bodyTimeoutMs: 300,
    });
    expect(result).toMatchObject({ kind: 'answered', status: 200, truncated: true, body });
    expect(performance.now() - startedAt).toBeLessThan(HANGS_MS);
    expect(outcomes).toEqual(['2xx']);
    await server.allClosed();
  });

  it('is wanted by nobody', async () => {
    const server = await servers.http((socket) => socket.write(`${OK}content-length: 1000\r\n\r\nabc`));
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, { maxAnswerBytes: 0 });
    expect(result).toMatchObject({ kind: 'answered', status: 200, body: '' });
    expect(result.durationMs).toBeLessThan(HANGS_MS);
    await server.allClosed();
  });

  it('goes on when the time for the whole answer is over', async () => {
    const server = await servers.http((socket) => socket.write(`${OK}content-length: 1000\r\n\r\nabc`));
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, {
      answerTimeoutMs: 5_000,
      bodyTimeoutMs: Infinity,
    });
    expect(result).toMatchObject({ kind: 'answered', status: 200, body: 'abc', truncated: true });
    await server.allClosed();
  });

  it('comes late, and as much time is given as the caller likes', async () => {
    const server = await servers.http((socket) => {
      socket.write(`${OK}content-length: 3\r\n\r\n`);
      setTimeout(() => socket.write('abc'), 300);
    });
    const limits = { answerTimeoutMs: Infinity, bodyTimeoutMs: Infinity };
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, limits);
    expect(result).toMatchObject({ kind: 'answered', body: 'abc', truncated: false });
    await server.allClosed();
  });

  it('is cut in the middle of a character', async () => {
    const server = await servers.http((socket) => socket.end(`${OK}content-length: 6\r\n\r\n€€`));
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, { maxAnswerBytes: 5 });
    expect(result).toMatchObject({ body: '€', truncated: true });
  });

  it('has exactly the size that is wanted', async () => {
    const server = await servers.http((socket) => socket.end(HELLO));
    const result = await createTestCaller().call(`http://127.0.0.1:${server.port}/`, { maxAnswerBytes: 5 });
    expect(result).toMatchObject({ body: 'hello', truncated: false });
  });
});
