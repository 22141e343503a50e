import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createWorkQueue, KubeApiError, type WorkQueueOptions } from '../../../src/kube/index.ts';
import { createManualClock, settle } from './manual-clock.ts';
import { createRecordingLogger } from './recording-logger.ts';

/** A queue whose work is finished by hand: `finish` of a key lets its process call end. */
function setUp(options: Partial<WorkQueueOptions<string>> = {}) {
  const clock = createManualClock();
  const logger = createRecordingLogger();
  const started: string[] = [];
  const open = new Map<
    string,
    { resolve: (r?: { requeueAfterMs?: number }) => void; reject: (e: unknown) => void }
  >();
  const signals: AbortSignal[] = [];
  const queue = createWorkQueue<string>({
    name: 'test',
    workers: 2,
    clock,
    logger,
    random: () => 1 - Number.EPSILON,
    process: (key, signal) => {
      started.push(key);
      signals.push(signal);
      if (open.has(key)) throw new Error(`${key} is processed twice at once`);
      return new Promise((resolve, reject) => {
        open.set(key, { resolve: (r) => resolve(r), reject });
      });
    },
    ...options,
  });
  const finish = async (key: string, how: { error?: unknown; requeueAfterMs?: number } = {}) => {
    const call = open.get(key);
    if (call === undefined) throw new Error(`${key} is not being processed`);
    open.delete(key);
    if (how.error !== undefined) call.reject(how.error);
    else call.resolve(how.requeueAfterMs === undefined ? undefined : { requeueAfterMs: how.requeueAfterMs });
    await settle();
  };
  const controller = new AbortController();
  return { clock, logger, queue, started, finish, signals, controller };
}

const boom = new Error('boom');

describe('work queue', () => {
  it('processes keys in order, each once, by as many workers as there are', async () => {
    const { queue, started, finish, controller } = setUp();
    for (const key of ['a', 'b', 'a', 'c']) queue.add(key);
    expect(queue.depth()).toBe(3);
    await queue.start(controller.signal);
    await settle();
    expect(started).toEqual(['a', 'b']);
    await finish('b');
    expect(started).toEqual(['a', 'b', 'c']);
    expect(queue.depth()).toBe(0);
  });

  it('does no work inside of add()', async () => {
    const { queue, started, controller } = setUp();
    await queue.start(controller.signal);
    queue.add('a');
    expect(started).toEqual([]);
    await settle();
    expect(started).toEqual(['a']);
  });

  it('processes a key once more when it was added while it was being processed', async () => {
    const { queue, started, finish, controller } = setUp();
    await queue.start(controller.signal);
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    expect(started).toEqual(['a']);
    await finish('a');
    expect(started).toEqual(['a', 'a']);
    await finish('a');
    expect(started).toEqual(['a', 'a']);
  });

  it('backs off a failing key more and more, up to the maximum, and forgets that after a success', async () => {
    const { queue, started, finish, clock, controller } = setUp({ backoffMaxMs: 1_000 });
    await queue.start(controller.signal);
    queue.add('a');
    for (const delayMs of [200, 400, 800, 1_000, 1_000]) {
      await settle();
      const before = started.length;
      await finish('a', { error: boom });
      await clock.advance(delayMs - 1);
      expect(started).toHaveLength(before);
      await clock.advance(1);
      expect(started).toHaveLength(before + 1);
    }
    await finish('a');
    queue.add('a');
    await settle();
    await finish('a', { error: boom });
    const before = started.length;
    await clock.advance(200);
    expect(started).toHaveLength(before + 1);
  });

  it('does not come back before the API server allows it', async () => {
    const { queue, started, finish, clock, controller } = setUp();
    await queue.start(controller.signal);
    queue.add('a');
    await settle();
    await finish('a', { error: new KubeApiError('slow down', 429, 'TooManyRequests', 7) });
    await clock.advance(6_999);
    expect(started).toEqual(['a']);
    await clock.advance(1);
    expect(started).toEqual(['a', 'a']);
  });

  it.each([
    { given: [500, 300, 900], at: 300 },
    { given: [300, 500], at: 300 },
    { given: [0, 300], at: 0 },
  ])('of the delays $given the earliest counts', async ({ given, at }) => {
    const { queue, started, clock, controller } = setUp();
    await queue.start(controller.signal);
    for (const delayMs of given) queue.addAfter('a', delayMs);
    await clock.advance(at - 1);
    expect(started).toEqual(at === 0 ? ['a'] : []);
    await clock.advance(1);
    expect(started).toEqual(['a']);
  });

  it('takes requeueAfterMs from the result', async () => {
    const { queue, started, finish, clock, controller } = setUp();
    await queue.start(controller.signal);
    queue.add('a');
    await settle();
    await finish('a', { requeueAfterMs: 5_000 });
    await clock.advance(5_000);
    expect(started).toEqual(['a', 'a']);
  });

  it('stop() waits for the running ones and begins nothing more; the rest is kept for the next start', async () => {
    const { queue, started, finish, signals, clock, controller } = setUp({ workers: 1 });
    await queue.start(controller.signal);
    queue.add('a');
    queue.add('b');
    await settle();
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    await clock.advance(9_999);
    expect(stopped).toBe(false);
    expect(signals[0]?.aborted).toBe(false);
    await finish('a');
    await stopping;
    expect(started).toEqual(['a']);
    expect(clock.pendingTimers()).toBe(0);
    await queue.start(controller.signal);
    await settle();
    expect(started).toEqual(['a', 'b']);
  });

  it('stop() aborts at its deadline what still runs', async () => {
    const { queue, signals, clock, controller } = setUp({ stopDeadlineMs: 1_000 });
    await queue.start(controller.signal);
    queue.add('a');
    await settle();
    const stopping = queue.stop();
    await clock.advance(1_000);
    await stopping;
    expect(signals[0]?.aborted).toBe(true);
  });

  it('an abort tells the running ones at once, and an interrupted key is taken up by the next start without counting as failed', async () => {
    const { queue, started, finish, signals, logger, controller } = setUp();
    await queue.start(controller.signal);
    queue.add('a');
    await settle();
    controller.abort();
    expect(queue.ready()).toBe(false);
    expect(signals[0]?.aborted).toBe(true);
    await finish('a', { error: boom });
    expect(logger.lines).toEqual([]);
    await queue.start(new AbortController().signal);
    await settle();
    expect(started).toEqual(['a', 'a']);
  });

  it('property: whatever is added is processed after it was added, never one key by two, and no more workers than allowed', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key: fc.integer({ min: 0, max: 5 }) }),
      fc.record({
        do: fc.constant('addAfter' as const),
        key: fc.integer({ min: 0, max: 5 }),
        ms: fc.integer({ min: -5, max: 2_000 }),
      }),
      fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 700 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.record({ ms: fc.integer({ min: 0, max: 300 }), fails: fc.boolean() }), {
          minLength: 1,
          maxLength: 30,
        }),
        async (steps, workers, outcomes) => {
          const clock = createManualClock();
          const running = new Set<string>();
          // When each key's state of the world was last touched, and when it was last looked at from the beginning.
          const touched = new Map<string, number>();
          const seen = new Map<string, number>();
          let ticks = 0;
          let calls = 0;
          let violations = 0;
          let failuresLeft = 20;
          const queue = createWorkQueue<string>({
            name: 'property',
            workers,
            clock,
            logger: createRecordingLogger(),
            process: async (key) => {
              if (running.has(key) || running.size >= workers) violations += 1;
              running.add(key);
              const looked = ++ticks;
              const outcome = outcomes[calls++ % outcomes.length] ?? { ms: 0, fails: false };
              await new Promise<void>((resolve) => void clock.after(outcome.ms, resolve));
              running.delete(key);
              if (outcome.fails && failuresLeft-- > 0) throw boom;
              seen.set(key, looked);
              return undefined;
            },
          });
          await queue.start(new AbortController().signal);
          for (const each of steps) {
            if (each.do === 'advance') {
              await clock.advance(each.ms);
              continue;
            }
            const key = `k${each.key}`;
            touched.set(key, ++ticks);
            if (each.do === 'add') queue.add(key);
            else queue.addAfter(key, each.ms);
          }
          await clock.advance(10_000_000);
          expect(violations).toBe(0);
          for (const [key, at] of touched) expect(seen.get(key) ?? -1).toBeGreaterThan(at);
          expect(queue.depth()).toBe(0);
          expect(clock.pendingTimers()).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });
});
