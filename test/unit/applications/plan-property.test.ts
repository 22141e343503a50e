import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  addPod,
  addWorkload,
  cacheOf,
  createWorld,
  reconcile,
  removeWorkload,
  signal,
  TTL_MS,
  type World,
} from './world.ts';

type Targeted =
  'delete' | 'annotate' | 'unannotate' | 'scale-up' | 'finish' | 'pod' | 'signal' | 'stale-signal';
type Plain =
  | 'settle'
  | 'wait'
  | 'toggle-namespace'
  | 'delete-secret'
  | 'tamper-secret'
  | 'tamper-hash'
  | 'remember-cache'
  | 'look-with-old-cache';

/** What can happen to an application, in any order, between any two looks of the controller. */
type Happening =
  | { readonly what: 'create'; readonly name: string; readonly action: 'delete' | 'scale-to-zero' | 'none' }
  | { readonly what: Targeted; readonly at: number }
  | { readonly what: Plain }
  | { readonly what: 'crash'; readonly after: number; readonly inToken: boolean };

const at = fc.nat(3);
const targeted = (...what: Targeted[]): fc.Arbitrary<Happening> =>
  fc.record({ what: fc.constantFrom(...what), at });
const plain = (...what: Plain[]): fc.Arbitrary<Happening> => fc.record({ what: fc.constantFrom(...what) });
const create: fc.Arbitrary<Happening> = fc.record({
  what: fc.constant('create' as const),
  name: fc.constantFrom('web', 'web', 'side'),
  action: fc.constantFrom('delete' as const, 'delete' as const, 'scale-to-zero' as const, 'none' as const),
});
const crash = fc.record({ what: fc.constant('crash' as const), after: fc.nat(6), inToken: fc.boolean() });
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: create },
  { weight: 5, arbitrary: targeted('pod') },
  { weight: 5, arbitrary: targeted('signal') },
  {
    weight: 6,
    arbitrary: targeted('delete', 'annotate', 'unannotate', 'scale-up', 'finish', 'stale-signal'),
  },
  { weight: 4, arbitrary: plain('settle') },
  {
    weight: 4,
    arbitrary: plain('delete-secret', 'tamper-secret', 'tamper-hash', 'toggle-namespace', 'wait'),
  },
  { weight: 2, arbitrary: plain('remember-cache', 'look-with-old-cache') },
  { weight: 2, arbitrary: crash },
);
/** Half of the stories begin with an application that runs. */
const story = fc
  .tuple(fc.boolean(), create, fc.array(happening, { maxLength: 25, size: 'max' }))
  .map(([runs, first, rest]): Happening[] =>
    runs ? [first, { what: 'settle' }, { what: 'pod', at: 0 }, ...rest] : rest,
  );

interface Run {
  readonly world: World;
  cache: ReturnType<typeof cacheOf> | undefined;
  readonly heldTokens: string[];
}

describe('the plan, whatever happens', () => {
  it('acts only upon a stored signal, on the workloads it spoke of, once, and comes to the right rest', () => {
    fc.assert(
      fc.property(story, (happenings) => {
        const run: Run = { world: createWorld(), cache: undefined, heldTokens: [] };
        for (const next of happenings) {
          const before = run.world.acted.length;
          const aliveBefore = new Map(run.world.workloads.map((workload) => [workload.uid, { ...workload }]));
          happen(run, next);
          checkActions(run.world, before, aliveBefore);
        }
        run.world.namespaceState = 'enabled';
        const before = run.world.acted.length;
        const aliveBefore = new Map(run.world.workloads.map((workload) => [workload.uid, { ...workload }]));
        settle(run.world);
        checkActions(run.world, before, aliveBefore);
        checkRest(run.world);
      }),
      { numRuns: 3000 },
    );
  });

  it('removes everything of an application whose workloads are gone, once the time to live is over', () => {
    fc.assert(
      fc.property(story, (happenings) => {
        const run: Run = { world: createWorld(), cache: undefined, heldTokens: [] };
        for (const next of happenings) happen(run, next);
        const { world } = run;
        for (const { uid } of [...world.workloads]) removeWorkload(world, uid);
        settle(world);
        world.now += TTL_MS + 1;
        settle(world);
        expect(world.app).toBeUndefined();
        expect(world.secret).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});

function settle(world: World): void {
  reconcile(world);
}

function happen(run: Run, next: Happening): void {
  const { world } = run;
  const workload = 'at' in next ? world.workloads[next.at % Math.max(1, world.workloads.length)] : undefined;
  world.now += 1000;
  switch (next.what) {
    case 'create':
      if (!world.workloads.some(({ name }) => name === next.name))
        addWorkload(world, { name: next.name, action: next.action });
      return;
    case 'delete':
      if (workload) removeWorkload(world, workload.uid);
      return;
    case 'annotate':
      if (workload) workload.hooks = ['complete'];
      return;
    case 'unannotate':
      if (workload) workload.hooks = [];
      return;
    case 'scale-up':
      if (workload) workload.idle = false;
      return;
    case 'finish':
      // Only Jobs end by themselves.
      if (workload && world.workloads.length === 1) {
        workload.kind = 'Job';
        workload.outcome = 'succeeded';
      }
      return;
    case 'pod':
      if (workload && !workload.idle && world.secret) {
        const pod = addPod(world, workload);
        if (pod.holds !== undefined) run.heldTokens.push(pod.holds);
      }
      return;
    case 'signal':
      signal(world, world.pods[next.at % Math.max(1, world.pods.length)]?.holds);
      return;
    case 'stale-signal':
      signal(world, run.heldTokens[next.at % Math.max(1, run.heldTokens.length)]);
      return;
    case 'delete-secret':
      world.secret = undefined;
      return;
    case 'tamper-secret':
      if (world.secret) world.secret = { ...world.secret, tokenSha256: 'f'.repeat(64) };
      return;
    case 'tamper-hash':
      if (world.app?.status?.tokenSha256 !== undefined)
        world.app = { ...world.app, status: { ...world.app.status, tokenSha256: 'e'.repeat(64) } };
      return;
    case 'toggle-namespace':
      world.namespaceState = world.namespaceState === 'enabled' ? 'disabled' : 'enabled';
      return;
    case 'wait':
      world.now += TTL_MS / 2;
      return;
    case 'settle':
      settle(world);
      return;
    case 'crash':
      reconcile(world, { crashAfter: next.after, inToken: next.inToken });
      return;
    case 'remember-cache':
      run.cache = cacheOf(world);
      return;
    case 'look-with-old-cache':
      if (run.cache) reconcile(world, { cache: run.cache });
      return;
  }
}

function checkActions(
  world: World,
  from: number,
  aliveBefore: ReadonlyMap<string, { action: string; hooks: readonly string[] }>,
): void {
  for (const { uid, action, wasSignalled } of world.acted.slice(from)) {
    const workload = aliveBefore.get(uid);
    expect(workload?.hooks).toEqual(['complete']);
    expect(workload?.action).not.toBe('none');
    expect(wasSignalled).toBe(true);
    if (action === 'delete')
      expect(world.acted.filter((other) => other.uid === uid && other.action === 'delete')).toHaveLength(1);
  }
}

function checkRest(world: World): void {
  const asking = world.workloads.filter(({ hooks }) => hooks.length > 0);
  const status = world.app?.status;
  if (asking.length === 0) {
    if (world.workloads.length > 0 && world.app)
      expect(status?.finishedAt !== undefined || status?.tokenSha256 === undefined).toBe(true);
    return;
  }
  expect(world.app).toBeDefined();
  if (status?.finishedAt === undefined) {
    // It runs: the token is known, the Secret holds it, and it speaks of exactly these workloads.
    expect(status?.phase).toBe('Running');
    expect(world.secret?.tokenSha256).toBe(status?.tokenSha256);
    expect(status?.workloads?.map(({ uid }) => uid).sort()).toEqual(asking.map(({ uid }) => uid).sort());
    expect(status?.signals?.complete).toBeUndefined();
  }
  for (const workload of asking) expect(workload.stamped).toBe(true);
}
