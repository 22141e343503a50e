import { describe, expect, it } from '@jest/globals';
import type { JobDoneWatcher, Webhook } from '../../../src/jobs/index.ts';
import { projectJob } from '../../../src/jobs/job-facts.ts';
import { createGoneJobs } from '../../../src/jobs/gone-jobs.ts';
import { projectWatcher } from '../../../src/jobs/known-watcher.ts';
import type { Outbox, OutboxEntry } from '../../../src/jobs/outbox.ts';
import { createWatcherKeeper, type WatcherKeeperDeps } from '../../../src/jobs/watcher-keeper.ts';

const T0 = Date.parse('2030-01-01T00:00:00Z');
const at = (seconds: number) => new Date(T0 + seconds * 1_000).toISOString();
const KEY = 'shop/of-train';

function jobObject(uid: string, createdAt: number, endedAt?: number) {
  const conditions =
    endedAt === undefined ? [] : [{ type: 'Complete', status: 'True', lastTransitionTime: at(endedAt) }];
  return {
    metadata: { namespace: 'shop', name: 'train', uid, creationTimestamp: at(createdAt) },
    status: { conditions },
  };
}
type JobObject = ReturnType<typeof jobObject>;
const facts = (object: JobObject) => {
  const known = projectJob(object);
  if (known === undefined) throw new Error('no Job');
  return known;
};

interface World {
  /** As the watch has brought it. */
  readonly cached?: JobObject;
  /** As the API server has it. */
  readonly stored?: JobObject;
  readonly gone?: readonly JobObject[];
  readonly spec?: Partial<JobDoneWatcher['spec']>;
  /** What is stored is not found under what was asked for. */
  readonly isStrange?: boolean;
  readonly now?: number;
}

/** A watcher of the Job `train` with one webhook, made in second 10, at its turn. */
function start({ cached, stored, gone: went = [], spec = {}, isStrange = false, now = 20 }: World) {
  const made: OutboxEntry[] = [];
  const written: unknown[] = [];
  let reads = 0;
  const watcher = projectWatcher({
    metadata: { namespace: 'shop', name: 'of-train', uid: 'w-uid', creationTimestamp: at(10) },
    spec: {
      jobName: 'train',
      timeoutSeconds: 0,
      webhooks: [{ id: 'a', webhook: 'w', timeoutSeconds: 0 }],
      ...spec,
    },
    status: { phase: 'PENDING' },
  } as never);
  const webhook = { metadata: { name: 'w', uid: 'w' }, spec: { events: ['complete', 'failed'] } } as Webhook;
  const index = { watchersOf: () => [], deliveriesOf: () => [] };
  const gone = createGoneJobs({ index, isServed: () => true, now: () => T0 });
  for (const job of went) gone.listener.onJob?.(facts(job), undefined);
  const deps = {
    client: {
      get: () => {
        reads += 1;
        return Promise.resolve(stored);
      },
      patch: (_ref: unknown, { body }: { body: { status: unknown } }) =>
        Promise.resolve(written.push(body.status)),
    },
    caches: {
      watchers: new Map([[KEY, watcher]]),
      webhooks: new Map([['shop/w', webhook]]),
      jobs: new Map(cached && [['shop/train', facts(cached)]]),
      gone,
      index,
      connected: () => true,
      isServed: () => true,
    },
    outbox: {
      find: ({ event }: OutboxEntry) =>
        !isStrange && made.some((entry) => entry.event.job.uid === event.job.uid)
          ? { name: 'jd-1', phase: 'Delivered', deliveredAt: at(15) }
          : undefined,
      ensure: (entry: OutboxEntry) => Promise.resolve(made.push(entry)),
    } as unknown as Outbox,
    now: () => T0 + now * 1_000,
  } as unknown as WatcherKeeperDeps;
  const keeper = createWatcherKeeper(deps);
  return { process: () => keeper.process(KEY), made, written, reads: () => reads };
}

describe('createWatcherKeeper', () => {
  it.each<[string, World]>([
    ['bound', { spec: { jobUid: 'a' } }],
    ['not bound yet', {}],
  ])('a Job that has ended and gone before the turn of its watcher, %s, is told of', async (_name, world) => {
    const { process, made, written } = start({ ...world, gone: [jobObject('a', 5, 12)] });
    await process();
    expect(made.map(({ event }) => [event.type, event.job.uid])).toEqual([['complete', 'a']]);
    expect(written).toMatchObject([{ phase: 'COMPLETED', webhooks: [{ status: 'CALLED' }] }]);
  });

  it.each<[string, number | undefined]>([
    ['is running', undefined],
    ['is done', 9],
  ])('a watch that is behind, and shows an old Job that %s, binds nobody to it', async (_name, endedAt) => {
    const { process, made, written, reads } = start({
      cached: jobObject('old', 1, endedAt),
      stored: jobObject('new', 9),
    });
    await process();
    expect(made).toEqual([]);
    expect(written).toEqual([{ phase: 'PENDING', jobUid: 'new' }]);
    expect(reads()).toBe(1);
  });

  it('asks the API server for a Job neither when there is none to bind to, nor when it is bound', async () => {
    const none = start({});
    await none.process();
    const bound = start({ cached: jobObject('a', 1, 12), spec: { jobUid: 'a' } });
    await bound.process();
    expect([none.reads(), none.written, bound.reads(), bound.made.length]).toEqual([0, [], 0, 1]);
  });

  it('a Job that is gone, of which the watch still has to bring how it went, is waited for', async () => {
    const spec = { jobUid: 'a', timeoutSeconds: 5 };
    const { process, made, written } = start({ cached: jobObject('a', 1), spec });
    expect(await process()).toEqual({ requeueAfterMs: 1_000 });
    expect([made, written]).toEqual([[], []]);
  });

  it('what is stored and never found again is a failure, not a loop', async () => {
    const { process, made } = start({
      cached: jobObject('a', 1, 12),
      spec: { jobUid: 'a' },
      isStrange: true,
    });
    await expect(process()).rejects.toThrow('not found again');
    expect(made).toHaveLength(3);
  });
});
