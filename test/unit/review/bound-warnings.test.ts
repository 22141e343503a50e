import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { boundWarnings } from '../../../src/review/bound-warnings.ts';

describe('boundWarnings', () => {
  it('leaves what fits as it is, each once', () => {
    expect(boundWarnings(['one', 'two', 'one'])).toEqual(['one', 'two']);
    expect(boundWarnings(['x'.repeat(256)])).toEqual(['x'.repeat(256)]);
  });

  it('cuts between letters', () => {
    expect(boundWarnings(['ä'.repeat(200)])).toEqual([`${'ä'.repeat(126)}…`]);
    expect(boundWarnings([`x${'😀'.repeat(100)}`])).toEqual([`x${'😀'.repeat(63)}…`]);
  });

  it('tells how many are left out', () => {
    const bounded = boundWarnings(Array.from({ length: 40 }, (_, i) => `w${i}`));
    expect(bounded).toHaveLength(15);
    expect(bounded.at(-1)).toBe('and 26 more warnings of krake-hooks');
  });

  it('fits for any text: valid, no control characters, 256 bytes each and 4096 together', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 600 }), { maxLength: 30 }), (warnings) => {
        const bounded = boundWarnings(warnings);
        for (const warning of bounded) {
          expect(Buffer.byteLength(warning)).toBeLessThanOrEqual(256);
          expect(warning.isWellFormed()).toBe(true);
          expect(warning).not.toMatch(/[\u0000-\u001f\u007f]/);
        }
        expect(Buffer.byteLength(bounded.join(''))).toBeLessThanOrEqual(4_096);
      }),
    );
  });
});
