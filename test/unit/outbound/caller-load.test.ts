import { afterEach, describe, expect, it } from '@jest/globals';
import { createTestCaller, createTestServers } from './caller-setting.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const servers = createTestServers();
afterEach(() => servers.stopAll());

describe('many calls at once', () => {
  it('go to as many servers, and none is left open', async () => {
    const targets = await Promise.all(
      Array.from({ length: 1_000 }, () => servers.http((socket) => socket.write(OK))),
    );
    const { call, load } = createTestCaller({ maxConcurrentCalls: 300 });
    const calls = targets.map(({ port }) =>
      call(`http://127.0.0.1:${port}/`, { connectTimeoutMs: 30_000, answerTimeoutMs: 30_000 }),
    );
    expect(load()).toEqual([300, 700]);
    const results = await Promise.all(calls);
    expect(results.filter((result) => result.kind === 'answered' && result.status === 200)).toHaveLength(
      1_000,
    );
    await Promise.all(targets.map((target) => target.allClosed()));
    expect(load()).toEqual([0, 0]);
  }, 60_000);

  it('are not held up by those of a group whose server hangs', async () => {
    const hanging = await servers.http(() => undefined);
    const quick = await servers.http((socket) => socket.end(OK));
    const { call, load } = createTestCaller({ maxConcurrentCalls: 10 });
    const abort = new AbortController();
    const stuck = Array.from({ length: 50 }, () =>
      call(`http://127.0.0.1:${hanging.port}/`, {
        group: 'hanging',
        signal: abort.signal,
        answerTimeoutMs: 60_000,
      }),
    );
    for (let index = 0; index < 20; index++) {
      expect(await call(`http://127.0.0.1:${quick.port}/`, { group: 'quick' })).toMatchObject({
        status: 200,
      });
    }
    expect(load()).toEqual([5, 45]);
    abort.abort();
    expect((await Promise.all(stuck)).every((result) => result.kind === 'failed')).toBe(true);
    expect(hanging.connections()).toBe(5);
    await hanging.allClosed();
  }, 60_000);
});
