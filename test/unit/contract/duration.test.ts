import { describe, expect, it } from '@jest/globals';
import { parseDuration } from '../../../src/contract/index.ts';

describe('parseDuration', () => {
  it.each([
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['0s', 0],
    ['PT90S', 90_000],
    ['P1DT1H', 90_000_000],
    ['P2W', 1_209_600_000],
  ])('reads %s as %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '90', '-5s', '5 s', '1d', 'P1M', 'P1Y', '-PT5S', 'soon', '5sx', '1s'.repeat(33)])(
    'refuses %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});
