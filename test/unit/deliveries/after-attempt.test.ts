import { describe, expect, it } from '@jest/globals';
import {
  afterAttempt,
  newRound,
  withoutAttempt,
  type AttemptResult,
} from '../../../src/deliveries/after-attempt.ts';
import { statusPatch } from '../../../src/deliveries/status-patch.ts';
import type { DeliveryStatus } from '../../../src/jobs/index.ts';
import { classifyResult, type CallResult } from '../../../src/outbound/index.ts';
import { answered, deliveryOf, failed, T0 } from './delivery-fixtures.ts';

const OPTIONS = { retryBaseMs: 1_000, retryCapMs: 60_000, retryAfterCeilingMs: 10_000, maxRefusals: 3 };
const called = (result: CallResult): AttemptResult => ({
  kind: 'called',
  result,
  verdict: classifyResult(result, false),
});

function after(
  outcome: AttemptResult,
  status?: DeliveryStatus,
  { now = T0 + 1_000, maxAgeSeconds = 3_600, random = 0.5 } = {},
) {
  return afterAttempt(
    deliveryOf(status),
    { maxAgeSeconds, url: 'https://hooks.test/in?key=0123456789%2Babc&v=1' },
    outcome,
    { startedAt: now - 100, now, random },
    OPTIONS,
  );
}

describe('afterAttempt', () => {
  it('a success is the end', () => {
    const status = after(called(answered(204)));
    expect(status).toEqual({
      phase: 'Delivered',
      attempts: 1,
      roundAttempts: 1,
      deliveredAt: '2030-01-01T00:00:01.000Z',
      finishedAt: '2030-01-01T00:00:01.000Z',
      log: [{ number: 1, at: '2030-01-01T00:00:00.900Z', durationMs: 100, status: 204 }],
    });
  });

  it.each<[string, AttemptResult]>([
    ['500', called(answered(500))],
    ['503', called(answered(503))],
    ['429', called(answered(429))],
    ['408', called(answered(408))],
    ['409', called(answered(409))],
    ['425', called(answered(425))],
    ['no connection', called(failed('connect'))],
    ['a timeout', called(failed('answer-timeout'))],
    ['no key', { kind: 'unsigned', problem: 'no Secret' }],
  ])('%s is tried again after a delay that doubles, half of it at random 0.5', (_name, outcome) => {
    let status: DeliveryStatus | undefined;
    for (const delayMs of [500, 1_000, 2_000]) {
      status = after(outcome, status);
      expect(status).toMatchObject({
        phase: 'Pending',
        nextAttemptAt: new Date(T0 + 1_000 + delayMs).toISOString(),
      });
    }
  });

  it.each([301, 400, 401, 403, 404, 422])(
    '%i is tried three times here, then it is a dead letter',
    (code) => {
      const first = after(called(answered(code)));
      const second = after(called(answered(code)), first);
      expect([first.phase, second.phase]).toEqual(['Pending', 'Pending']);
      expect(after(called(answered(code)), second)).toMatchObject({
        phase: 'DeadLetter',
        reason: 'Refused',
        attempts: 3,
      });
    },
  );

  it('failures in between do not count as refusals', () => {
    let status: DeliveryStatus | undefined;
    for (const code of [400, 500, 500, 500, 400, 500]) status = after(called(answered(code)), status);
    expect(status).toMatchObject({ phase: 'Pending', refusals: 2, attempts: 6 });
  });

  it.each<[string, CallResult, string]>([
    ['410', answered(410), 'EndpointGone'],
    ['a URL that cannot be called', failed('invalid-url'), 'CannotBeSent'],
  ])('%s is a dead letter at once', (_name, result, reason) => {
    expect(after(called(result))).toMatchObject({ phase: 'DeadLetter', reason });
  });

  it('Retry-After is the least delay, up to a ceiling', () => {
    const next = (value: string) => {
      const status = after(called(answered(429, { headers: { 'retry-after': value } })), undefined, {
        random: 0,
      });
      return Date.parse(status.nextAttemptAt ?? '') - (T0 + 1_000);
    };
    expect(next('7')).toBe(7_000);
    expect(next('99999')).toBe(10_000);
    expect(next(new Date(T0 + 6_000).toUTCString())).toBe(5_000);
    expect(next('nonsense')).toBe(0);
  });

  it('what would be tried again after its time is a dead letter; a new round has new time', () => {
    const old = after(called(answered(500)), undefined, { now: T0 + 3_600_000 });
    expect(old).toMatchObject({ phase: 'DeadLetter', reason: 'TooOld' });
    const again = newRound(old, 'now', T0 + 3_700_000);
    expect(again).toMatchObject({ phase: 'Pending', attempts: 1, redelivered: 'now' });
    expect(again).not.toHaveProperty('reason');
    expect(after(called(answered(500)), again, { now: T0 + 3_700_000 })).toMatchObject({
      phase: 'Pending',
      attempts: 2,
      roundAttempts: 1,
    });
  });

  it('keeps the newest attempts, cut, and nothing that would disturb a terminal', () => {
    let status: DeliveryStatus | undefined;
    for (let n = 0; n < 15; n += 1) {
      status = after(called(answered(500, { body: `\u001b[31m${'x'.repeat(900)}` })), status);
    }
    expect(status?.log).toHaveLength(10);
    expect(status?.log?.[0]?.number).toBe(6);
    expect(status?.log?.[0]?.response).toHaveLength(500);
    expect(JSON.stringify(status)).not.toMatch(/\\u001b/);
  });

  it('keeps of an answer nothing that stood in the query of the URL', () => {
    const body = 'no: /in?key=0123456789%2Babc&v=1, key is 0123456789+abc, 0123456789%2Babc, version 1';
    expect(after(called(answered(500, { body }))).log?.[0]?.response).toBe(
      'no: /in?[hidden], key is [hidden], [hidden], version 1',
    );
  });

  it('an end without an attempt', () => {
    const status = withoutAttempt(
      { attempts: 2, nextAttemptAt: 'x' },
      { phase: 'Cancelled', reason: 'WebhookDeleted' },
      T0,
    );
    expect(status).toEqual({
      phase: 'Cancelled',
      reason: 'WebhookDeleted',
      attempts: 2,
      finishedAt: '2030-01-01T00:00:00.000Z',
    });
  });
});

describe('statusPatch', () => {
  it('takes away what is not there any more', () => {
    expect(statusPatch({ nextAttemptAt: 'x', attempts: 1 }, { phase: 'Delivered', attempts: 2 })).toEqual({
      phase: 'Delivered',
      attempts: 2,
      nextAttemptAt: null,
    });
  });
});
