import { expect, it } from '@jest/globals';
import { describeRemains } from '../../../src/cli/removal-commands.ts';

it('says nothing where nothing was injected', () => {
  expect(describeRemains(new Map(), false)).toEqual([]);
});

it('says how many pods are left, where, and what to do', () => {
  const text = describeRemains(
    new Map([
      ['shop', 3],
      ['bank', 2],
    ]),
    false,
  ).join('\n');
  expect(text).toContain('5 pods');
  expect(text).toContain('shop: 3, bank: 2');
  expect(text).toContain('waits for a Secret that is gone');
  expect(text).toContain('kubectl -n bank rollout restart');
});

it('does not warn of Secrets that stay', () => {
  expect(describeRemains(new Map([['shop', 1]]), true).join('\n')).not.toContain('Secret');
});
