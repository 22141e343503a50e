import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Processed } from '../../../src/outbound/index.ts';
import { settle } from '../kube/manual-clock.ts';
import { OK, setting } from './queues-setting.ts';

describe('endpoint queues, whatever happens', () => {
  const endpoint = fc.constantFrom('a', 'b');
  const key = fc.constantFrom('1', '2', '3', '4', '5');
  const result = fc.record(
    {
      health: fc.constantFrom('healthy' as const, 'failing' as const, 'neutral' as const),
      againInMs: fc.nat(5_000),
      pauseMs: fc.nat(3_000),
    },
    { requiredKeys: ['health'] },
  );
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), endpoint, key, dueInMs: fc.nat(3_000) }),
    fc.record({ do: fc.constant('addFirst' as const), endpoint, key }),
    fc.record({ do: fc.constantFrom('remove' as const, 'reset' as const, 'drop' as const), endpoint, key }),
    fc.record({ do: fc.constant('end' as const), index: fc.nat(10), result }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(20_000) }),
  );

  it('no item is dealt with twice at a time, no endpoint has too many, and what was added is dealt with', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const underWay: { readonly item: string; readonly end: (result: Processed) => void }[] = [];
        let isOver = false;
        const wanted = new Set<string>();
        const { clock, queues } = setting((name, itemKey) => {
          const item = `${name}/${itemKey}`;
          wanted.delete(item);
          expect(underWay.map((one) => one.item)).not.toContain(item);
          expect(underWay.filter((one) => one.item.startsWith(`${name}/`)).length).toBeLessThan(2);
          if (isOver) return Promise.resolve(OK);
          return new Promise((end) => void underWay.push({ item, end }));
        });
        for (const each of steps) {
          if (each.do === 'add') {
            wanted.add(`${each.endpoint}/${each.key}`); // before: it may begin at once
            queues.add(each.endpoint, each.key, each.dueInMs);
          } else if (each.do === 'addFirst') {
            wanted.add(`${each.endpoint}/${each.key}`);
            queues.addFirst(each.endpoint, each.key);
          } else if (each.do === 'advance') await clock.advance(each.ms);
          else if (each.do === 'end') underWay.splice(each.index, 1)[0]?.end(each.result);
          else if (each.do === 'reset') queues.reset(each.endpoint);
          else if (each.do === 'remove') {
            queues.remove(each.endpoint, each.key);
            wanted.delete(`${each.endpoint}/${each.key}`);
          } else {
            queues.drop(each.endpoint);
            for (const item of wanted) if (item.startsWith(`${each.endpoint}/`)) wanted.delete(item);
          }
          await settle();
        }
        isOver = true;
        for (const { end } of underWay.splice(0)) end(OK);
        await clock.advance(1_000_000);
        expect([...wanted]).toEqual([]);
        expect(queues.load()).toEqual({ waiting: 0, active: 0, openBreakers: 0, lateMs: 0 });
        expect(clock.pendingTimers()).toBe(0);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
