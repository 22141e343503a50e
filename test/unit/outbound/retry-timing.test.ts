import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  backoffMs,
  classifyResult,
  FAILURE_REASONS,
  parseRetryAfter,
  retryDelayMs,
  type CallResult,
} from '../../../src/outbound/index.ts';

const OPTIONS = { baseMs: 1_000, capMs: 60_000, retryAfterCeilingMs: 3_600_000 };
const NEARLY_ONE = 1 - Number.EPSILON;

describe('backoff', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [6, 32_000],
    [7, 60_000],
    [5_000, 60_000],
  ])('after attempt %d waits %d ms at most', (attempt, mostMs) => {
    expect(backoffMs(attempt, OPTIONS, NEARLY_ONE)).toBe(mostMs - 1);
    expect(backoffMs(attempt, OPTIONS, 0)).toBe(0);
    expect(backoffMs(attempt, OPTIONS, 0.5)).toBe(mostMs / 2);
  });

  it('does as the receiver asks, up to the ceiling', () => {
    expect(retryDelayMs(1, 120_000, OPTIONS, 0)).toBe(120_000);
    expect(retryDelayMs(1, 120_000, OPTIONS, 0.5)).toBe(120_500);
    expect(retryDelayMs(1, 1e12, OPTIONS, 0)).toBe(3_600_000);
    expect(retryDelayMs(7, 1_000, OPTIONS, 0.5)).toBe(30_000);
    expect(retryDelayMs(1, undefined, OPTIONS, 0.5)).toBe(500);
  });

  it('stays within its bounds', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.nat(2_000), fc.option(fc.nat(), { nil: undefined }), unit, (attempt, asked, random) => {
        const delay = retryDelayMs(attempt, asked, OPTIONS, random);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(Math.min(asked ?? 0, OPTIONS.retryAfterCeilingMs));
        expect(delay).toBeLessThan(OPTIONS.retryAfterCeilingMs + OPTIONS.baseMs);
      }),
    );
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 21, 8, 0, 0);
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['Sat, 21 Nov 2026 08:00:30 GMT', 30_000],
    ['Saturday, 21-Nov-26 08:01:00 GMT', 60_000],
    ['Sat Nov 21 09:00:00 2026', 3_600_000],
    ['Tue Nov  1 08:00:00 2050', Date.UTC(2050, 10, 1, 8) - now],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Fri, 20 Nov 2026 08:00:00 GMT', 0],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2026-11-21T08:00:30Z', undefined],
    ['Sat, 21 Nov 2026 08:00:30 CET', undefined],
    ['9'.repeat(400), undefined],
  ])('%s: %s ms', (text, expected) => {
    expect(parseRetryAfter(text, now)).toBe(expected);
  });
});

describe('what a result means', () => {
  const answered = (status: number): CallResult => ({
    kind: 'answered',
    status,
    headers: {},
    body: '',
    truncated: false,
    durationMs: 1,
  });

  it.each([
    [200, 'delivered', 'delivered'],
    [202, 'delivered', 'delivered'],
    [299, 'delivered', 'delivered'],
    [301, 'retry-few', 'retry-few'],
    [307, 'retry-few', 'retry-few'],
    [400, 'retry-few', 'retry-few'],
    [401, 'retry-few', 'retry-few'],
    [404, 'retry', 'retry-few'],
    [408, 'retry', 'retry'],
    [409, 'retry', 'retry'],
    [410, 'disable', 'disable'],
    [415, 'retry-few', 'retry-few'],
    [425, 'retry', 'retry'],
    [429, 'retry', 'retry'],
    [500, 'retry', 'retry'],
    [502, 'retry', 'retry'],
    [599, 'retry', 'retry'],
  ])('%d in the cluster: %s, outside: %s', (status, inside, outside) => {
    expect(classifyResult(answered(status), true)).toBe(inside);
    expect(classifyResult(answered(status), false)).toBe(outside);
  });

  it('takes no failure for a delivery', () => {
    const verdicts = FAILURE_REASONS.map((reason) =>
      classifyResult({ kind: 'failed', reason, message: '', durationMs: 1 }, true),
    );
    expect(new Set(verdicts)).toEqual(new Set(['fail', 'retry-few', 'retry']));
    expect(classifyResult({ kind: 'failed', reason: 'closed', message: '', durationMs: 1 }, false)).toBe(
      'retry',
    );
  });
});
