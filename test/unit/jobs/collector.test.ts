import { describe, expect, it } from '@jest/globals';
import { createCollector, type CollectorDeps } from '../../../src/jobs/collector.ts';
import { waitFor } from '../../cluster/wait-for.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';

const NOW = Date.parse('2030-01-02T00:00:00Z');
const OPTIONS = {
  finishedTtlMs: 1_000,
  deadLetterTtlMs: 5_000,
  catchUpMs: 1_000,
  maxFinishedPerNamespace: 10,
  intervalMs: 5,
};

/** So many finished watchers that are too old. Which ones are chosen of real objects is seen in the integration tests. */
function start(
  count: number,
  remove: (signal: AbortSignal | undefined) => Promise<boolean>,
  deliveries: readonly object[] = [],
) {
  const watchers = Array.from({ length: count }, (_, n) => ({
    namespace: 'shop',
    name: `w${n}`,
    uid: `u${n}`,
    jobName: 'train',
    finishedAt: '2030-01-01T00:00:00Z',
  }));
  const deleted: string[] = [];
  const world = { active: 0, mostActive: 0, deleted };
  const client: CollectorDeps['client'] = {
    async delete({ name }, { signal }) {
      world.active += 1;
      world.mostActive = Math.max(world.mostActive, world.active);
      try {
        deleted.push(name);
        return await remove(signal);
      } finally {
        world.active -= 1;
      }
    },
  };
  const caches = {
    watchers: { store: new Map(watchers.map((watcher) => [watcher.name, watcher])) },
    deliveries: { store: new Map(deliveries.entries()) },
    index: { jobByUid: () => undefined },
  } as unknown as CollectorDeps['caches'];
  const deps = { client, caches, logger: createRecordingLogger(), now: () => NOW };
  return { world, collector: createCollector(deps, OPTIONS) };
}

const later = (): Promise<boolean> => new Promise((resolve) => setImmediate(() => resolve(true)));
const deliveryOf = (name: string, phase: string, agoMs: number) => ({
  namespace: 'shop',
  name,
  uid: name,
  phase,
  event: { type: 'complete', job: { uid: 'job' } },
  finishedAt: new Date(NOW - agoMs).toISOString(),
});
const untilAborted = (signal: AbortSignal | undefined): Promise<boolean> =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('aborted')));
  });

describe('createCollector', () => {
  it('deletes each once, eight at the same time', async () => {
    const { world, collector } = start(30, later);
    expect(await collector.collect(new AbortController().signal)).toBe(30);
    expect(new Set(world.deleted).size).toBe(30);
    expect(world.deleted).toHaveLength(30);
    expect(world.mostActive).toBe(8);
  });

  it('keeps dead letters for a time of their own', async () => {
    const { world, collector } = start(0, later, [
      deliveryOf('delivered', 'Delivered', 2_000),
      deliveryOf('cancelled', 'Cancelled', 2_000),
      deliveryOf('dead', 'DeadLetter', 2_000),
      deliveryOf('long-dead', 'DeadLetter', 6_000),
    ]);
    await collector.collect(new AbortController().signal);
    expect(world.deleted.sort()).toEqual(['cancelled', 'delivered', 'long-dead']);
  });

  it('takes no dead letter because of many successes; of too many the oldest', async () => {
    const many = (phase: string, agoMs: number) =>
      Array.from({ length: 12 }, (_, n) => deliveryOf(`${phase}-${n}`, phase, agoMs + n));
    const { world, collector } = start(0, later, [...many('DeadLetter', 900), ...many('Delivered', 0)]);
    await collector.collect(new AbortController().signal);
    expect(world.deleted.sort()).toEqual(
      ['Delivered-10', 'Delivered-11', 'DeadLetter-10', 'DeadLetter-11'].sort(),
    );
  });

  it('to stop it ends what is under way, and begins nothing more', async () => {
    const { world, collector } = start(30, untilAborted);
    await collector.start(new AbortController().signal);
    await waitFor('a round', () => (world.active > 0 ? true : undefined), { intervalMs: 5 });
    await collector.stop();
    const begun = world.deleted.length;
    expect(begun).toBeLessThan(30);
    await later();
    expect(world).toMatchObject({ active: 0 });
    expect(world.deleted).toHaveLength(begun);
  });
});
