import { afterAll, describe, expect, it } from '@jest/globals';
import { readBody, sendProblem, sendProblemAndClose } from '../../../src/http/index.ts';
import { createListeners, exchange, openRaw } from './listener-setting.ts';

const listeners = createListeners();
afterAll(() => listeners.stopAll());

describe('sendProblem', () => {
  it('is RFC 9457, with headers, and leaves the connection open', async () => {
    const listener = await listeners.http({
      onRequest: (_request, response) =>
        sendProblem(response, {
          status: 429,
          detail: 'Too many.',
          reason: 'busy',
          headers: { 'Retry-After': '2' },
        }),
    });
    const response = await fetch(`http://127.0.0.1:${listener.port()}/`);
    expect(response.status).toBe(429);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.headers.get('connection')).toBe('keep-alive');
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Too Many Requests',
      status: 429,
      detail: 'Too many.',
      reason: 'busy',
    });
  });

  it('does nothing to an answer that has begun', async () => {
    const listener = await listeners.http({
      onRequest: (_request, response) => {
        response.writeHead(200);
        sendProblem(response, { status: 500, detail: 'late' });
        response.end('first');
      },
    });
    const response = await fetch(`http://127.0.0.1:${listener.port()}/`);
    expect([response.status, await response.text()]).toEqual([200, 'first']);
  });
});

describe('sendProblemAndClose', () => {
  it('is read by a sender that is still sending, instead of a reset', async () => {
    const listener = await listeners.http({
      onRequest: async (request, response) => {
        await readBody(request, { limitBytes: 10 });
        sendProblemAndClose(request, response, { status: 413, detail: 'Too large.' });
      },
    });
    const size = 8 * 1024 * 1024;
    const answer = await exchange(
      listener.port(),
      Buffer.concat([
        Buffer.from(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`),
        Buffer.alloc(size, 'x'),
      ]),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('Connection: close');
    expect(answer).toContain('Too large.');
  });

  it('cuts a sender that does not stop', async () => {
    const listener = await listeners.http({
      onRequest: (request, response) =>
        sendProblemAndClose(request, response, { status: 413, detail: 'Too large.' }),
    });
    const raw = await openRaw(listener.port());
    const pump = setInterval(() => raw.socket.write('5\r\nhello\r\n'), 20);
    raw.socket.write('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    await raw.closed;
    clearInterval(pump);
    expect(raw.received()).toMatch(/^HTTP\/1\.1 413 /);
  });
});
