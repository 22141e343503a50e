import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createDueList } from '../../../src/outbound/due-list.ts';

describe('due list', () => {
  it('is a map sorted by time, then by order', () => {
    const key = fc.constantFrom(...'abcdefgh');
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key, dueMs: fc.nat(5) }),
      fc.record({ do: fc.constant('remove' as const), key }),
      fc.record({ do: fc.constant('take' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = createDueList();
        let model: { key: string; dueMs: number }[] = [];
        for (const each of steps) {
          if (each.do === 'add') {
            list.add(each.key, each.dueMs);
            const known = model.find((entry) => entry.key === each.key);
            if (known !== undefined && known.dueMs <= each.dueMs) continue;
            model = [...model.filter((entry) => entry !== known), { key: each.key, dueMs: each.dueMs }];
          } else if (each.do === 'remove') {
            list.remove(each.key);
            model = model.filter((entry) => entry.key !== each.key);
          } else {
            const [first] = model.toSorted((a, b) => a.dueMs - b.dueMs);
            expect(list.takeFirst()).toBe(first?.key);
            model = model.filter((entry) => entry !== first);
          }
          expect(list.size).toBe(model.length);
          expect(list.firstDueMs()).toBe(model.toSorted((a, b) => a.dueMs - b.dueMs)[0]?.dueMs);
        }
      }),
    );
  });
});
