import { describe, expect, it } from '@jest/globals';
import { readWarnings } from '../../../src/kube/warning-header.ts';

describe('readWarnings', () => {
  it.each([
    [undefined, []],
    ['299 - "did you mean \\"complete\\"?"', ['did you mean "complete"?']],
    ['299 - "one, with a comma", 299 - "two"', ['one, with a comma', 'two']],
    [
      ['299 - "one"', '299 - "two"'],
      ['one', 'two'],
    ],
    ['no warning at all', []],
  ])('reads %j', (header, texts) => {
    expect(readWarnings(header)).toEqual(texts);
  });
});
