import { afterAll, describe, expect, it } from '@jest/globals';
import { createListeners } from '../http/listener-setting.ts';
import { startRouter, TOKEN, WEB } from './router-setting.ts';

const listeners = createListeners();
afterAll(() => listeners.stopAll());

const complete = `${WEB}/complete`;

describe('limits', () => {
  it('429 for one application that writes too often, others unaffected, good again later', async () => {
    const limited = await startRouter(listeners, { ratePerApplicationPerSecond: 1, rateBurst: 2 });
    limited.answerStore = () =>
      Promise.resolve({ kind: 'unavailable', error: 'away', retryAfterSeconds: undefined });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await limited.put(complete, { token: TOKEN })).status);
    expect(statuses).toEqual([503, 503, 429]);
    const refusal = await limited.put(complete, { token: TOKEN });
    expect([refusal.status, refusal.headers.get('retry-after')]).toEqual([429, '1']);
    const other = await limited.put('/kubernetes/namespaces/shop/applications/other/complete', {
      token: 'of other',
    });
    expect(other.status).toBe(503);
    limited.clock.nowMs += 1_000;
    expect((await limited.put(complete, { token: TOKEN })).status).toBe(503);
    expect(limited.stored).toHaveLength(4);
  });

  it('a flood of wrong tokens is 429 and nearly leaves the log, the right token from the same address is 200', async () => {
    const flooded = await startRouter(listeners, { failuresPerSourcePerSecond: 1, failureBurst: 5 });
    const statuses = [];
    for (let i = 0; i < 20; i++) statuses.push((await flooded.put(complete, { token: 'wrong' })).status);
    expect(statuses).toEqual([...Array<number>(5).fill(401), ...Array<number>(15).fill(429)]);
    const told = () =>
      flooded.logger.lines.filter(({ level }) => level === 'info').map(({ fields }) => fields);
    expect(told()).toHaveLength(6);
    expect(told()[5]).toMatchObject({ status: 429, reason: 'token-wrong', uid: 'uid-web', times: 1 });
    expect((await flooded.put(complete, { token: TOKEN })).status).toBe(200);
    expect(
      (await flooded.put('/kubernetes/namespaces/no/applications/no/complete', { token: 'x' })).status,
    ).toBe(429);
    flooded.clock.nowMs += 1_000;
    expect((await flooded.put(complete, { token: 'wrong' })).status).toBe(401);
    flooded.clock.nowMs += 9_000;
    for (let i = 0; i < 30; i++) await flooded.put(complete, { token: 'wrong' });
    expect(told().at(-1)).toMatchObject({ status: 429, reason: 'token-wrong', times: 15 });
  });

  it('a flood hides no 403 of the same source: log, metric and audit have it', async () => {
    const flooded = await startRouter(listeners, { failuresPerSourcePerSecond: 1, failureBurst: 5 });
    for (let i = 0; i < 20; i++) await flooded.put(complete, { token: 'wrong' });
    const identity = { namespace: 'shop', name: 'other', uid: 'uid-other' };
    flooded.certificate = { kind: 'verified', sha256: 'a'.repeat(64), identity };
    expect((await flooded.put(complete, { token: TOKEN })).status).toBe(429);
    const expected = { status: 429, reason: 'certificate-of-another' };
    expect(flooded.logger.lines.at(-1)).toMatchObject({
      level: 'info',
      fields: { ...expected, uid: 'uid-web', application: 'web', times: 1 },
    });
    expect(flooded.metrics.answers.at(-1)).toMatchObject(expected);
    expect(flooded.audited.at(-1)).toMatchObject({ ...expected, status: 403 });
  });
});
