import { describe, expect, it } from '@jest/globals';
import type { Application } from '../../../src/applications/index.ts';
import { MAX_GOING_PODS } from '../../../src/gate/going-patch.ts';
import { createPodHolder, type HoldRequest } from '../../../src/gate/hold-pods.ts';
import { createManualClock } from '../pki/fakes.ts';
import { application, asked, conversation, createFakeApi, RECEIVED } from './gate-fixtures.ts';

const NOW = '2030-01-01T00:00:00.000Z';
const entry = { name: 'a', cause: 'deletion', requestedAt: NOW } as const;

function setUp(initial = application()) {
  const api = createFakeApi(initial);
  const stored: string[] = [];
  const metrics = { stored: (outcome: string) => void stored.push(outcome) };
  const holder = createPodHolder({ client: api, clock: createManualClock(), metrics }, { timeoutMs: 1_000 });
  const hold = (more: Partial<HoldRequest> = {}) =>
    holder.hold({ namespace: 'shop', name: 'web', asked: asked(), isDryRun: false, ...more });
  const going = () => api.application?.status?.shutdown?.going;
  return { api, stored, hold, going };
}

describe('a pod that has to say goodbye first', () => {
  it.each<[string, Application]>([
    ['a shutdown status', application()],
    ['a status without one', application({ status: { phase: 'Running' } })],
    ['no status at all', application({ status: undefined })],
  ])('is stored where there is %s', async (_what, initial) => {
    const { hold, going, api } = setUp(initial);
    expect(await hold()).toMatchObject({ outcome: 'held', reason: 'stored', cause: 'deletion' });
    expect(going()).toEqual({ 'uid-a': entry });
    expect(api.application).toMatchObject({ ...initial, status: initial.status ?? {} });
  });

  it.each([
    ['it waits already', application({ going: { 'uid-a': entry } })],
    [
      'a conversation about it knows why it is to go',
      application({
        conversations: [conversation([], { pods: [{ uid: 'uid-a', name: 'a', cause: 'deletion' }] })],
      }),
    ],
  ])('is not stored again when %s', async (_what, initial) => {
    const { hold, api } = setUp(initial);
    expect(await hold()).toMatchObject({ outcome: 'held', reason: 'stored-before' });
    expect(api.patches).toEqual([]);
  });

  it.each([
    ['it waits as an eviction', application({ going: { 'uid-a': { ...entry, cause: 'eviction' } } })],
    [
      'it is being asked for a scale-down',
      application({
        conversations: [conversation([], { pods: [{ uid: 'uid-a', name: 'a', cause: 'scale-down' }] })],
      }),
    ],
  ])(
    'is stored again when somebody deletes it and %s: a deletion is carried out as one',
    async (_what, initial) => {
      const { hold, going } = setUp(initial);
      expect(await hold()).toMatchObject({ outcome: 'held', reason: 'stored' });
      expect(going()).toEqual({ 'uid-a': entry });
      expect(await hold({ asked: asked({}, 'eviction') })).toMatchObject({ reason: 'stored-before' });
      expect(going()).toEqual({ 'uid-a': entry });
    },
  );

  it('is stored as one to be deleted when its cause is an eviction and it was a DELETE; once', async () => {
    const { hold, going, api } = setUp();
    const tainted = { ...asked({}, 'eviction'), byEviction: false };
    const deleted = { ...entry, cause: 'eviction', removal: 'delete' };
    expect(await hold({ asked: tainted })).toMatchObject({ reason: 'stored', cause: 'eviction' });
    expect(going()).toEqual({ 'uid-a': deleted });
    for (const again of [tainted, asked({}, 'eviction')])
      expect(await hold({ asked: again })).toMatchObject({ reason: 'stored-before' });
    expect(going()).toEqual({ 'uid-a': deleted });
    expect(api.patches).toHaveLength(1);
  });

  it('is stored again when it is deleted after a drain has evicted it, also at the same moment', async () => {
    const { hold, going } = setUp(application({ going: { 'uid-a': { ...entry, cause: 'eviction' } } }));
    const drained = asked({}, 'eviction');
    const tainted = { ...drained, byEviction: false };
    expect(await hold({ asked: drained })).toMatchObject({ reason: 'stored-before' });
    expect(await hold({ asked: tainted })).toMatchObject({ reason: 'stored' });
    expect(going()).toMatchObject({ 'uid-a': { cause: 'eviction', removal: 'delete' } });
    const other = { uid: 'uid-b' };
    await Promise.all(
      // The first is decided alone, those after it together.
      [asked(), asked(other), asked(other, 'eviction')].map((one) => hold({ asked: one })),
    );
    expect(going()).toMatchObject({ 'uid-b': { cause: 'deletion' } });
  });

  it('is held and not stored when a person has cancelled its eviction; a deletion is a new wish', async () => {
    const cancelled = conversation(['uid-a'], { outcome: 'cancelled' });
    const { hold, going } = setUp(application({ conversations: [cancelled] }));
    const evicted = asked({}, 'eviction');
    expect(await hold({ asked: evicted })).toMatchObject({ outcome: 'held', reason: 'cancelled' });
    expect(going()).toEqual({});
    expect(await hold()).toMatchObject({ outcome: 'held', reason: 'stored' });
    expect(await hold({ asked: evicted })).toMatchObject({ outcome: 'held', reason: 'stored-before' });
  });

  it('is stored again when the deadline that was cancelled has passed', async () => {
    const over = conversation(['uid-a'], { outcome: 'cancelled', doneAt: '2030-01-01T00:01:00Z' });
    const { hold } = setUp(application({ conversations: [over] }));
    expect(await hold({ asked: asked({}, 'eviction') })).toMatchObject({ outcome: 'held', reason: 'stored' });
  });

  it('is stored when it is asked anew after that', async () => {
    const anew = [conversation(['uid-a'], { outcome: 'cancelled' }), conversation(['uid-a'], { id: 'c-2' })];
    const { hold } = setUp(application({ conversations: anew }));
    expect(await hold({ asked: asked({}, 'eviction') })).toMatchObject({ outcome: 'held', reason: 'stored' });
  });

  it('is stored when it is being asked for another reason: it is to go afterwards', async () => {
    const { hold, going } = setUp(application({ conversations: [conversation(['uid-a'])] }));
    expect(await hold()).toMatchObject({ reason: 'stored' });
    expect(going()).toEqual({ 'uid-a': entry });
  });

  it('is held and not stored in a dry run', async () => {
    const { hold, api } = setUp();
    expect(await hold({ isDryRun: true })).toMatchObject({ outcome: 'held', reason: 'dry-run' });
    expect(api.patches).toEqual([]);
  });

  it('is held and not stored when too many wait already', async () => {
    const others = Array.from({ length: MAX_GOING_PODS }, (_, i) => [`uid-${i}`, entry] as const);
    const { hold, api } = setUp(application({ going: Object.fromEntries(others) }));
    expect(await hold()).toMatchObject({ outcome: 'held', reason: 'too-many' });
    expect(api.patches).toEqual([]);
  });

  it('passes when the live Application says so, whatever the cache said', async () => {
    const { hold, api } = setUp(
      application({ conversations: [conversation(['uid-a'], { confirmation: RECEIVED })] }),
    );
    expect(await hold()).toEqual({ outcome: 'passes', reason: 'free' });
    expect(api.patches).toEqual([]);
  });

  it('passes when there is no Application', async () => {
    const { hold, api } = setUp();
    api.application = undefined;
    expect(await hold()).toEqual({ outcome: 'passes', reason: 'no-application' });
  });
});

describe('when somebody else writes at the same moment', () => {
  it.each<[string, (app: Application) => Application | undefined, object]>([
    [
      'makes the shutdown status',
      (app) => ({
        ...app,
        status: { ...app.status, shutdown: { sequence: 4, going: {}, conversations: [] } },
      }),
      { outcome: 'held', reason: 'stored' },
    ],
    [
      'stores the goodbye',
      () => application({ conversations: [conversation(['uid-a'], { outcome: 'confirmed' })] }),
      { outcome: 'passes', reason: 'free' },
    ],
    ['deletes the Application', () => undefined, { outcome: 'passes', reason: 'no-application' }],
    [
      'puts a namesake in its place',
      (app) => ({ ...app, metadata: { ...app.metadata, uid: 'another' } }),
      { outcome: 'held', reason: 'stored' },
    ],
  ])('and %s, it is decided anew', async (_what, change, expected) => {
    const { hold, api } = setUp(application({ status: { phase: 'Running' } }));
    api.meanwhile = () => {
      api.application = api.application && change(api.application);
    };
    expect(await hold()).toMatchObject(expected);
  });

  it('again and again, it says that it could not decide', async () => {
    const { hold, api } = setUp();
    // A read that goes well and a write that loses, each time.
    api.faults.push(...Array.from({ length: 4 }, () => [undefined, 'conflict'] as const).flat());
    const refused = createAlwaysLosing(api);
    expect(await hold()).toMatchObject({ outcome: 'undecided' });
    expect(refused()).toBe(4);
  });

  const createAlwaysLosing = (api: ReturnType<typeof createFakeApi>) => {
    let count = 0;
    const { patch } = api;
    api.patch = (ref, body, options) => {
      count++;
      return patch(ref, body, options);
    };
    return () => count;
  };
});

describe('many at once', () => {
  it('are decided together: one read and one write for those that came meanwhile', async () => {
    const { hold, going, api } = setUp();
    const uids = Array.from({ length: 100 }, (_, i) => `uid-${i}`);
    const results = await Promise.all(uids.map((uid) => hold({ asked: asked({ uid, name: uid }) })));
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['held']));
    expect(Object.keys(going() ?? {}).sort()).toEqual([...uids].sort());
    expect({ reads: api.reads, writes: api.patches.length }).toEqual({ reads: 2, writes: 2 });
  });

  it('the same pod twice is stored once', async () => {
    const { hold, api } = setUp();
    await Promise.all([hold(), hold(), hold()]);
    expect(api.patches).toHaveLength(1);
  });

  it('no more are stored than there is room for', async () => {
    const others = Array.from({ length: MAX_GOING_PODS - 3 }, (_, i) => [`old-${i}`, entry] as const);
    const { hold, going } = setUp(application({ going: Object.fromEntries(others) }));
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) => hold({ asked: asked({ uid: `uid-${i}` }) })),
    );
    expect(Object.keys(going() ?? {})).toHaveLength(MAX_GOING_PODS);
    expect(results.filter((result) => 'reason' in result && result.reason === 'too-many')).toHaveLength(7);
  });

  it('an API server that fails leaves none of them without an answer, and the next ones go well', async () => {
    const { hold, api, stored } = setUp();
    api.faults.push('unreachable');
    const [first, second] = await Promise.all([hold(), hold({ asked: asked({ uid: 'uid-b' }) })]);
    expect(first).toMatchObject({ outcome: 'undecided' });
    expect(second).toMatchObject({ outcome: 'held', reason: 'stored' });
    expect(await hold()).toMatchObject({ outcome: 'held', reason: 'stored' });
    expect(stored).toEqual(['stored', 'stored']);
  });
});
