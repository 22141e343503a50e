import { describe, expect, it } from '@jest/globals';
import { createBreaker } from '../../../src/deliveries/breaker.ts';

const options = { failures: 3, openMs: 1_000, maxOpenMs: 3_000 };

describe('createBreaker', () => {
  it('opens after failures in a row, lets one probe through, and closes with its success', () => {
    const breaker = createBreaker(options);
    for (const now of [0, 1, 2]) {
      expect(breaker.enter(now)).toBe(0);
      breaker.leave(false, now);
    }
    expect(breaker.enter(500)).toBe(502);
    expect(breaker.enter(1_002)).toBe(0);
    // Only one at a time.
    expect(breaker.enter(1_003)).toBeGreaterThan(0);
    breaker.leave(true, 1_010);
    expect(breaker.enter(1_011)).toBe(0);
    expect(breaker.enter(1_011)).toBe(0);
  });

  it('a failed probe opens it for twice as long, up to the cap', () => {
    const breaker = createBreaker(options);
    for (let n = 0; n < 3; n += 1) breaker.leave(false, 0);
    for (const [now, waitMs] of [
      [1_000, 2_000],
      [3_000, 3_000],
      [6_000, 3_000],
    ] as const) {
      expect(breaker.enter(now)).toBe(0);
      breaker.leave(false, now);
      expect(breaker.enter(now)).toBe(waitMs);
    }
  });

  it('a success in between starts the count again', () => {
    const breaker = createBreaker(options);
    for (const answered of [false, false, true, false, false]) breaker.leave(answered, 0);
    expect(breaker.isOpen(0)).toBe(false);
  });

  it('calls that were under way when it opened do not prolong it', () => {
    const breaker = createBreaker(options);
    for (let n = 0; n < 3; n += 1) breaker.leave(false, 0);
    breaker.leave(false, 900);
    expect(breaker.enter(900)).toBe(100);
  });
});
