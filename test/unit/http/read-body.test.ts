import { afterAll, describe, expect, it } from '@jest/globals';
import { readBody, type BodyResult } from '../../../src/http/index.ts';
import { createListeners, openRaw } from './listener-setting.ts';

const listeners = createListeners();
afterAll(() => listeners.stopAll());

/** Sends a request in these pieces; resolves with what readBody made of it. */
async function read(
  pieces: readonly string[],
  options: { limitBytes?: number; timeoutMs?: number; signal?: AbortSignal; leave?: boolean } = {},
): Promise<BodyResult> {
  const { limitBytes = 100, leave = false, ...rest } = options;
  return new Promise((resolve, reject) => {
    const serve = async () => {
      const listener = await listeners.http({
        onRequest: async (request, response) => {
          resolve(await readBody(request, { limitBytes, ...rest }));
          response.end();
        },
      });
      const raw = await openRaw(listener.port());
      for (const piece of pieces) raw.socket.write(piece, 'latin1');
      if (leave) raw.socket.end();
    };
    serve().catch(reject);
  });
}

const text = (result: BodyResult) => (result.kind === 'body' ? result.body.toString() : result.kind);
const put = (headers: string) => `PUT / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`;

describe('readBody', () => {
  it.each([
    ['by Content-Length', [put('Content-Length: 5'), 'hello'], 'hello'],
    ['in pieces', [put('Content-Length: 5'), 'he', 'll', 'o'], 'hello'],
    ['chunked', [put('Transfer-Encoding: chunked'), '2\r\nhe\r\n', '3\r\nllo\r\n0\r\n\r\n'], 'hello'],
    ['none at all', [put('X: y')], ''],
    ['of the limit exactly', [put('Content-Length: 100'), 'x'.repeat(100)], 'x'.repeat(100)],
  ])('%s', async (_name, pieces, expected) => {
    expect(text(await read(pieces))).toBe(expected);
  });

  it('tooLarge as announced, before a byte of it came', async () => {
    expect(await read([put('Content-Length: 101')])).toEqual({ kind: 'tooLarge' });
  });

  it('tooLarge as it grows', async () => {
    const endless = `65\r\n${'x'.repeat(101)}\r\n`;
    expect(await read([put('Transfer-Encoding: chunked'), endless])).toEqual({ kind: 'tooLarge' });
  });

  it('timedOut when the rest does not come', async () => {
    expect(await read([put('Content-Length: 5'), 'he'], { timeoutMs: 30 })).toEqual({ kind: 'timedOut' });
  });

  it('aborted when the caller leaves in the middle', async () => {
    expect(await read([put('Content-Length: 5'), 'he'], { leave: true })).toEqual({ kind: 'aborted' });
  });

  it('aborted when the chunks are no chunks', async () => {
    expect(await read([put('Transfer-Encoding: chunked'), 'zz\r\n'])).toEqual({ kind: 'aborted' });
  });

  it('aborted by the signal, before and meanwhile', async () => {
    expect(await read([put('Content-Length: 5')], { signal: AbortSignal.abort() })).toEqual({
      kind: 'aborted',
    });
    expect(await read([put('Content-Length: 5')], { signal: AbortSignal.timeout(30) })).toEqual({
      kind: 'aborted',
    });
  });
});
