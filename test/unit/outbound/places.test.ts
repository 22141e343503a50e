import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPlaces, type PlaceHolder, type Places } from '../../../src/outbound/places.ts';

const NEVER = new AbortController().signal;

const ALL = { groupShare: 1, memberShare: 1 };

/** `group/member`, or a group alone. */
function holderOf(text: string | undefined): PlaceHolder {
  const [group, member] = text?.split('/', 2) ?? [];
  return { group, member };
}

/** Takes places and notes in which order they were given. */
function takeInOrder(places: Places) {
  const given: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    given,
    take: (name: string, group?: string, signal: AbortSignal = NEVER) =>
      void places.take(holderOf(group), signal).then((release) => {
        given.push(release === undefined ? `${name}:gave-up` : name);
        if (release !== undefined) releases.set(name, release);
      }),
    release: (name: string) => releases.get(name)?.(),
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('places', () => {
  it('lets in those who wait in their order', async () => {
    const places = createPlaces({ max: 2, ...ALL }, () => undefined);
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
    const places = createPlaces({ max: 4, groupShare: 0.5, memberShare: 1 }, () => undefined);
    const order = takeInOrder(places);
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) order.take(name, 'a');
    order.take('b1', 'b');
    order.take('alone');
    await settle();
    expect(order.given).toEqual(['a1', 'a2', 'b1', 'alone']);
    order.release('alone');
    await settle();
    expect(order.given).toHaveLength(4); // a has its part
    order.release('b1');
    order.release('a1');
    await settle();
    expect(order.given.at(-1)).toBe('a3');
  });

  it('leaves places however many groups want all', async () => {
    const places = createPlaces({ max: 1_000, groupShare: 0.25, memberShare: 0.5 }, () => undefined);
    const taken: number[] = [];
    for (let group = 0; group < 20; group++) {
      const before = places.taken();
      for (let i = 0; i < 1_000; i++) void places.take({ group: `g${group}`, member: `m${i}` }, NEVER);
      taken.push(places.taken() - before);
    }
    // Each a quarter of what those before it leave.
    expect(taken.slice(0, 4)).toEqual([250, 187, 140, 105]);
    expect(places.taken()).toBeLessThan(1_000);
    const order = takeInOrder(places);
    order.take('somebody else', 'other');
    await settle();
    expect(order.given).toEqual(['somebody else']);
  });

  it('leaves places to the other members of a group', async () => {
    const places = createPlaces({ max: 1_000, groupShare: 0.25, memberShare: 0.5 }, () => undefined);
    const taken: number[] = [];
    for (const member of ['a', 'b', 'c']) {
      const before = places.taken();
      for (let i = 0; i < 500; i++) void places.take({ group: 'shop', member }, NEVER);
      taken.push(places.taken() - before);
    }
    expect(taken).toEqual([125, 62, 31]);
    const order = takeInOrder(places);
    order.take('another', 'shop/another');
    order.take('elsewhere', 'bank/a');
    await settle();
    expect(order.given).toEqual(['another', 'elsewhere']);
  });

  it('lets members of a group in by turns', async () => {
    const places = createPlaces({ max: 1, ...ALL }, () => undefined);
    const order = takeInOrder(places);
    order.take('first');
    for (const name of ['a1', 'a2', 'a3']) order.take(name, 'shop/a');
    order.take('b1', 'shop/b');
    order.take('else', 'bank/c');
    for (const name of ['first', 'a1', 'else', 'b1', 'a2']) {
      await settle();
      order.release(name);
    }
    await settle();
    expect(order.given).toEqual(['first', 'a1', 'else', 'b1', 'a2', 'a3']);
  });

  it('gives places back to a group when the others have left', async () => {
    const places = createPlaces({ max: 8, groupShare: 0.5, memberShare: 1 }, () => undefined);
    const order = takeInOrder(places);
    for (const name of ['a1', 'a2', 'a3', 'a4']) order.take(name, 'a');
    for (const name of ['b1', 'b2', 'b3', 'b4']) order.take(name, 'b');
    await settle();
    expect(order.given).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2']);
    for (const name of ['a1', 'a2', 'a3', 'a4']) order.release(name);
    await settle();
    expect(order.given.slice(6)).toEqual(['b3', 'b4']);
  });

  it('lets groups in by turns', async () => {
    const places = createPlaces({ max: 1, ...ALL }, () => undefined);
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
    const places = createPlaces({ max: 1, ...ALL }, () => undefined);
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
      fc.record({
        do: fc.constant('take' as const),
        group: fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/1', 'c', undefined),
      }),
      fc.record({ do: fc.constantFrom('release' as const, 'abort' as const), index: fc.nat(30) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const max = 4;
        const places = createPlaces({ max, groupShare: 0.5, memberShare: 0.5 }, () => undefined);
        const held: { group: string | undefined; release: () => void }[] = [];
        const aborts: AbortController[] = [];
        for (const each of steps) {
          if (each.do === 'take') {
            const abort = new AbortController();
            aborts.push(abort);
            void places.take(holderOf(each.group), abort.signal).then((release) => {
              if (release !== undefined) held.push({ group: each.group, release });
            });
          } else if (each.do === 'release') {
            held.splice(each.index % Math.max(1, held.length), 1)[0]?.release();
          } else aborts[each.index]?.abort();
          await settle();
          expect(held).toHaveLength(places.taken());
          expect(places.taken()).toBeLessThanOrEqual(max);
          for (const group of ['a', 'b', 'c']) {
            expect(held.filter((one) => one.group?.startsWith(group)).length).toBeLessThanOrEqual(2);
          }
          expect(held.filter((one) => one.group === 'a/1').length).toBeLessThanOrEqual(1);
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
