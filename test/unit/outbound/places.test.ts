import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPlaces, type Places } from '../../../src/outbound/places.ts';

const NEVER = new AbortController().signal;

/** Takes places and notes in which order they were given. */
function takeInOrder(places: Places) {
  const given: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    given,
    take: (name: string, group?: string, signal: AbortSignal = NEVER) =>
      void places.take(group, signal).then((release) => {
        given.push(release === undefined ? `${name}:gave-up` : name);
        if (release !== undefined) releases.set(name, release);
      }),
    release: (name: string) => releases.get(name)?.(),
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('places', () => {
  it('lets in those who wait in their order', async () => {
    const places = createPlaces({ max: 2, maxPerGroup: 2 }, () => undefined);
    const order = takeInOrder(places);
    for (const name of ['a', 'b', 'c', 'd']) order.take(name);
    await settle();
    expect(order.given).toEqual(['a', 'b']);
    expect([places.taken(), places.waiting()]).toEqual([2, 2]);
    order.release('b');
    order.release('b'); // again: nothing
    await settle();
    expect(order.given).toEqual(['a', 'b', 'c']);
    order.release('a');
    order.release('c');
    await settle();
    expect(order.given).toEqual(['a', 'b', 'c', 'd']);
    expect([places.taken(), places.waiting()]).toEqual([1, 0]);
  });

  it('keeps places for others when one group wants all', async () => {
    const places = createPlaces({ max: 4, maxPerGroup: 2 }, () => undefined);
    const order = takeInOrder(places);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) order.take(name, 'a');
    order.take('b1', 'b');
    order.take('alone');
    await settle();
    expect(order.given).toEqual(['a1', 'a2', 'b1', 'alone']);
    order.release('alone');
    await settle();
    expect(order.given).toHaveLength(4); // a has its part
    order.release('a1');
    await settle();
    expect(order.given.at(-1)).toBe('a3');
  });

  it('lets groups in by turns', async () => {
    const places = createPlaces({ max: 1, maxPerGroup: 1 }, () => undefined);
    const order = takeInOrder(places);
    order.take('first');
    for (const name of ['a1', 'a2', 'a3']) order.take(name, 'a');
    for (const name of ['b1', 'b2']) order.take(name, 'b');
    for (const name of ['first', 'a1', 'b1', 'a2', 'b2']) {
      await settle();
      order.release(name);
    }
    await settle();
    expect(order.given).toEqual(['first', 'a1', 'b1', 'a2', 'b2', 'a3']);
  });

  it('forgets who gives up waiting', async () => {
    const places = createPlaces({ max: 1, maxPerGroup: 1 }, () => undefined);
    const order = takeInOrder(places);
    const patience = new AbortController();
    order.take('a');
    order.take('b', 'g', patience.signal);
    order.take('c', 'g');
    order.take('late', undefined, AbortSignal.abort());
    patience.abort();
    await settle();
    expect(places.waiting()).toBe(1);
    order.release('a');
    await settle();
    expect(order.given).toEqual(['a', 'late:gave-up', 'b:gave-up', 'c']);
  });

  it('never gives more than there are, and loses none', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('take' as const), group: fc.constantFrom('a', 'b', 'c', undefined) }),
      fc.record({ do: fc.constantFrom('release' as const, 'abort' as const), index: fc.nat(30) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const max = 4;
        const places = createPlaces({ max, maxPerGroup: 2 }, () => undefined);
        const held: { group: string | undefined; release: () => void }[] = [];
        const aborts: AbortController[] = [];
        for (const each of steps) {
          if (each.do === 'take') {
            const abort = new AbortController();
            aborts.push(abort);
            void places.take(each.group, abort.signal).then((release) => {
              if (release !== undefined) held.push({ group: each.group, release });
            });
          } else if (each.do === 'release') {
            held.splice(each.index % Math.max(1, held.length), 1)[0]?.release();
          } else aborts[each.index]?.abort();
          await settle();
          expect(held).toHaveLength(places.taken());
          expect(places.taken()).toBeLessThanOrEqual(max);
          for (const group of ['a', 'b', 'c']) {
            expect(held.filter((one) => one.group === group).length).toBeLessThanOrEqual(2);
          }
        }
        for (let turn = 0; turn < 100 && held.length > 0; turn++) {
          held.shift()?.release();
          await settle();
        }
        expect([places.taken(), places.waiting()]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
