import { afterAll, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import { createListeners } from '../http/listener-setting.ts';
import { startRouter, WEB } from './router-setting.ts';

const listeners = createListeners();
afterAll(() => listeners.stopAll());

const ROUNDS = 400;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
afterAll(() => agent.destroy());

/** Microseconds from the request to the answer. */
function timePut(port: number, path: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = process.hrtime.bigint();
    request({ port, host: '127.0.0.1', method: 'PUT', path, agent }, (response) => {
      response.resume().on('end', () => {
        resolve(Number(process.hrtime.bigint() - startedAt) / 1000);
      });
    })
      .on('error', reject)
      .end(body);
  });
}

function quantile(sorted: readonly number[], at: number): number {
  return sorted[Math.floor(sorted.length * at)] ?? Number.NaN;
}

describe('401', () => {
  it('takes the same time whether the application is unknown, void or has another token', async () => {
    const { port } = await startRouter(listeners, { failuresPerSourcePerSecond: 1e9, failureBurst: 1e9 });
    const cases = [
      [`${WEB}/complete`, '{"token":"wrong-wrong"}'],
      ['/kubernetes/namespaces/shop/applications/wbe/complete', '{"token":"wrong-wrong"}'],
      ['/kubernetes/namespaces/shop/applications/void/complete', '{"token":"wrong-wrong"}'],
    ] as const;
    const differ = async (): Promise<boolean> => {
      const times: number[][] = cases.map(() => []);
      // In turn, so that whatever else the machine does falls on all of them alike; the first rounds warm up.
      for (let round = -100; round < ROUNDS; round++) {
        for (const [i, [path, body]] of cases.entries()) {
          const us = await timePut(port, path, body);
          if (round >= 0) times[i]?.push(us);
        }
      }
      const sorted = times.map((all) => all.toSorted((one, two) => one - two));
      const medians = sorted.map((all) => quantile(all, 0.5));
      const [first] = sorted;
      // A difference counts only when it is more than half of what one and the same case differs by itself.
      const spread = quantile(first ?? [], 0.9) - quantile(first ?? [], 0.1);
      const difference = Math.max(...medians) - Math.min(...medians);
      return difference >= Math.max(spread / 2, 0.25 * Math.min(...medians));
    };
    // What our code does differently is there each time; what the machine does is not.
    const differs = (await differ()) && (await differ()) && (await differ());
    expect(differs).toBe(false);
  }, 60_000);
});
