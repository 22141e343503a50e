import { describe, expect, it } from '@jest/globals';
import {
  createReflector,
  KubeApiError,
  KubeUnreachableError,
  type KubeObject,
  type ListOptions,
  type ObjectList,
  type ReflectorOptions,
  type WatchClient,
  type WatchEvent,
  type WatchOptions,
} from '../../../src/kube/index.ts';
import { createManualClock, settle } from './manual-clock.ts';
import { createRecordingLogger } from './recording-logger.ts';

/** What one list or watch call is answered with; the last step of a watch stays open. */
type Step =
  | { list: { names: string[]; version: string; continue?: string } | Error }
  | { watch: WatchEvent<KubeObject>[] | Error; then: 'end' | 'break' | 'stay' };

const object = (name: string, resourceVersion: string): KubeObject => ({
  metadata: { name, resourceVersion },
});
const added = (name: string, version: string) => ({ type: 'ADDED', object: object(name, version) }) as const;
const gone = (reason: string) => new KubeApiError('too old', 410, reason);

/** Answers with the steps in their order, whatever is asked; what was asked is kept. How the real API server answers is in test/integration. */
function setUp(steps: Step[], options: Partial<ReflectorOptions<{ version: string }>> = {}) {
  const clock = createManualClock();
  const logger = createRecordingLogger();
  const asked: ({ list: ListOptions } | { watch: WatchOptions })[] = [];
  const changes: string[] = [];
  const failures: string[] = [];
  const lists: boolean[] = [];
  const stay = (signal: AbortSignal) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new KubeUnreachableError('aborted'))),
    );
  const client = {
    list: async (
      _resource: unknown,
      _namespace: unknown,
      request: ListOptions,
    ): Promise<ObjectList<KubeObject>> => {
      asked.push({ list: request });
      const step = steps.shift();
      if (step === undefined) return await stay(request.signal ?? new AbortController().signal);
      if (!('list' in step)) throw new Error('the test expected a watch here');
      if (step.list instanceof Error) throw step.list;
      const { names, version, continue: next } = step.list;
      const items = names.map((name) => object(name, version));
      return { items, resourceVersion: version, ...(next === undefined ? {} : { continue: next }) };
    },
    watch: async (_resource: unknown, _namespace: unknown, request: WatchOptions) => {
      asked.push({ watch: request });
      const step = steps.shift();
      if (step === undefined) return await stay(request.signal);
      if (!('watch' in step)) throw new Error('the test expected a list here');
      const { watch, then } = step;
      if (watch instanceof Error) throw watch;
      return (async function* () {
        yield* watch;
        if (then === 'break') throw new KubeUnreachableError('cut');
        if (then === 'stay') await stay(request.signal);
      })();
    },
  } as unknown as WatchClient;
  const reflector = createReflector<{ version: string }>({
    client,
    resource: { apiVersion: 'v1', plural: 'pods' },
    logger,
    clock,
    random: () => 0,
    project: ({ metadata: { resourceVersion } }) => ({ version: resourceVersion ?? '' }),
    onChange: (key, before, after) =>
      void changes.push(`${key} ${before?.version ?? '-'}>${after?.version ?? '-'}`),
    metrics: {
      listed: (_, relist) => void lists.push(relist),
      failed: (_, reason) => void failures.push(reason),
      handlerFailed: () => void failures.push('handler'),
    },
    ...options,
  });
  const versions = () =>
    asked.map((request) =>
      'list' in request ? `list ${request.list.continue ?? ''}`.trim() : request.watch.resourceVersion,
    );
  const start = async () => {
    await reflector.start(new AbortController().signal);
    await settle();
  };
  return { reflector, clock, logger, asked, versions, changes, failures, lists, start };
}

describe('reflector', () => {
  it('lists all pages, then watches from there; bookmarks move it on', async () => {
    const { reflector, start, versions, changes, asked } = setUp([
      { list: { names: ['a'], version: '5', continue: 'more' } },
      { list: { names: ['b'], version: '5' } },
      {
        watch: [added('c', '7'), { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } }],
        then: 'end',
      },
    ]);
    expect([reflector.ready(), reflector.connected()]).toEqual([false, false]);
    await start();
    expect([reflector.ready(), reflector.connected()]).toEqual([true, true]);
    expect(versions()).toEqual(['list', 'list more', '5', '9']);
    expect(changes).toEqual(['a ->5', 'b ->5', 'c ->7']);
    // The random part is 0 here: five minutes, and two bookmarks' time of silence.
    expect(asked[2]).toMatchObject({ watch: { timeoutSeconds: 300, idleTimeoutMs: 150_000 } });
    await reflector.stop();
    expect([reflector.ready(), reflector.connected()]).toEqual([true, false]);
  });

  it('resumes a broken watch from the last event', async () => {
    const { reflector, start, clock, versions, failures } = setUp([
      { list: { names: [], version: '5' } },
      { watch: [added('a', '6')], then: 'break' },
      { watch: [], then: 'stay' },
    ]);
    await start();
    expect(reflector.connected()).toBe(false);
    await clock.advance(100);
    expect(versions()).toEqual(['list', '5', '6']);
    expect(reflector.connected()).toBe(true);
    expect(failures).toEqual(['Unreachable']);
    await reflector.stop();
  });

  it.each<{ what: string; step: Step; waitMs: number }>([
    { what: 'HTTP 410', step: { watch: gone('Gone'), then: 'end' }, waitMs: 0 },
    {
      what: 'an ERROR event with 410',
      step: { watch: [{ type: 'ERROR', error: gone('Expired') }], then: 'end' },
      waitMs: 0,
    },
    { what: 'HTTP 400', step: { watch: new KubeApiError('?', 400, 'BadRequest'), then: 'end' }, waitMs: 100 },
    {
      what: 'HTTP 504',
      step: { watch: new KubeApiError('too large', 504, 'Timeout'), then: 'end' },
      waitMs: 100,
    },
  ])('lists again after $what and finds what went meanwhile', async ({ step, waitMs }) => {
    const { reflector, start, clock, versions, changes, lists } = setUp([
      { list: { names: ['a', 'b'], version: '5' } },
      step,
      { list: { names: ['b', 'c'], version: '8' } },
      { watch: [], then: 'stay' },
    ]);
    await start();
    await clock.advance(waitMs);
    expect(versions()).toEqual(['list', '5', 'list', '8']);
    expect(changes).toEqual(['a ->5', 'b ->5', 'b 5>8', 'c ->8', 'a 5>-']);
    expect(lists).toEqual([false, true]);
    await reflector.stop();
  });

  it('after an outage lists at once where the watch has become too old, once', async () => {
    const { reflector, start, clock, versions } = setUp([
      { list: { names: [], version: '5' } },
      { watch: new KubeUnreachableError('away'), then: 'end' },
      { watch: new KubeUnreachableError('away'), then: 'end' },
      { watch: gone('Gone'), then: 'end' },
      { list: gone('Expired') },
      { list: { names: ['a'], version: '8' } },
      { watch: [], then: 'stay' },
    ]);
    await start();
    await clock.advance(100);
    expect(versions()).toEqual(['list', '5', '5']);
    await clock.advance(200);
    // The list comes without a pause; that it does not help is followed by one.
    expect(versions()).toEqual(['list', '5', '5', '5', 'list']);
    await clock.advance(10_000);
    expect(versions()).toEqual(['list', '5', '5', '5', 'list', 'list', '8']);
    await reflector.stop();
  });

  it('keeps its place after an ERROR event that is no 410', async () => {
    const error = new KubeApiError('internal', 500, 'InternalError');
    const { reflector, start, clock, versions } = setUp([
      { list: { names: [], version: '5' } },
      { watch: [added('a', '6'), { type: 'ERROR', error }], then: 'end' },
      { watch: [], then: 'stay' },
    ]);
    await start();
    await clock.advance(100);
    expect(versions()).toEqual(['list', '5', '6']);
    await reflector.stop();
  });

  it('starts a list over whose continue token has expired, and deletes nothing before it is whole', async () => {
    const { reflector, start, clock, versions, changes } = setUp([
      { list: { names: ['a', 'z'], version: '5' } },
      { watch: gone('Gone'), then: 'end' },
      { list: { names: ['a'], version: '7', continue: 'more' } },
      { list: gone('Expired') },
      { list: { names: ['a'], version: '9', continue: 'more' } },
      { list: { names: ['z'], version: '9' } },
      { watch: [], then: 'stay' },
    ]);
    await start();
    await clock.advance(1_000);
    expect(versions()).toEqual(['list', '5', 'list', 'list more', 'list', 'list more', '9']);
    expect(changes).toEqual(['a ->5', 'z ->5', 'a 5>7', 'a 7>9', 'z 5>9']);
    await reflector.stop();
  });

  it('backs off more and more, up to ten seconds, and warns only now and then', async () => {
    const away = { list: new KubeUnreachableError('away') };
    const { reflector, start, clock, asked, logger } = setUp(Array.from({ length: 12 }, () => away));
    await start();
    for (const delayMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
      const before = asked.length;
      await clock.advance(delayMs - 1);
      expect(asked).toHaveLength(before);
      await clock.advance(1);
      expect(asked).toHaveLength(before + 1);
    }
    await clock.advance(15_000);
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
    await reflector.stop();
  });

  it('waits for as long as the API server asks', async () => {
    const { reflector, start, clock, asked } = setUp([
      { list: new KubeApiError('busy', 429, 'TooManyRequests', 4) },
    ]);
    await start();
    await clock.advance(3_999);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(asked).toHaveLength(2);
    await reflector.stop();
  });

  it('takes watches that end at once for failures, so that it does not ask without pause', async () => {
    const ends: Step = { watch: [], then: 'end' };
    const { reflector, start, clock, asked } = setUp([
      { list: { names: [], version: '5' } },
      ...Array.from({ length: 20 }, () => ends),
    ]);
    await start();
    await clock.advance(1_000);
    expect(asked.length).toBeLessThan(7);
    await reflector.stop();
  });

  it('goes on when onChange throws, and says so without the object', async () => {
    const { reflector, start, failures, logger } = setUp(
      [{ list: { names: ['a', 'b'], version: '5' } }, { watch: [added('c', '6')], then: 'stay' }],
      {
        onChange: (key) => {
          if (key !== 'b') throw new Error('handler');
        },
      },
    );
    await start();
    expect(failures).toEqual(['handler', 'handler']);
    expect([...reflector.store.keys()]).toEqual(['a', 'b', 'c']);
    expect(logger.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields)).toEqual([
      { resource: 'pods', key: 'a', error: 'handler' },
      { resource: 'pods', key: 'c', error: 'handler' },
    ]);
    await reflector.stop();
  });

  it('keeps its store over a stop and resumes from there', async () => {
    const { reflector, start, versions } = setUp([
      { list: { names: ['a'], version: '5' } },
      { watch: [added('b', '6')], then: 'stay' },
      { watch: [], then: 'stay' },
    ]);
    await start();
    await reflector.stop();
    expect(reflector.store.size).toBe(2);
    await start();
    expect(versions()).toEqual(['list', '5', '6']);
    await reflector.stop();
  });
});
