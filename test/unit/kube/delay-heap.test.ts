import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createDelayHeap } from '../../../src/kube/delay-heap.ts';

describe('delay heap', () => {
  it('property: behaves like a map of the earliest time of each key', () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          key: fc.integer({ min: 0, max: 20 }),
          at: fc.integer({ min: 0, max: 1_000 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ now: fc.integer({ min: 0, max: 1_000 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const heap = createDelayHeap<string>();
        const model = new Map<string, number>();
        for (const each of steps) {
          if ('key' in each) {
            const key = `k${each.key}`;
            heap.push(key, each.at);
            model.set(key, Math.min(model.get(key) ?? Infinity, each.at));
          } else {
            const earliest = Math.min(...model.values());
            const popped = heap.popDue(each.now);
            if (popped === undefined) {
              expect(earliest).toBeGreaterThan(each.now);
            } else {
              expect(model.get(popped)).toBe(earliest);
              model.delete(popped);
            }
          }
          expect(heap.size).toBe(model.size);
          expect(heap.nextAt() ?? Infinity).toBe(Math.min(...model.values()));
        }
      }),
    );
  });

  it('does not grow with a key that is moved forward again and again', () => {
    const heap = createDelayHeap<string>();
    for (let at = 100_000; at > 0; at--) heap.push('a', at);
    expect(heap.size).toBe(1);
    expect(heap.popDue(1)).toBe('a');
    expect(heap.nextAt()).toBeUndefined();
  });
});
