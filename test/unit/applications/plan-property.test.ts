import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ANNOTATION_REQUEST } from '../../../src/contract/index.ts';
import {
  addPod,
  addWorkload,
  cacheOf,
  createWorld,
  reconcile,
  removeWorkload,
  signal,
  TTL_MS,
  type Workload,
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
  | 'damage-certificate'
  | 'new-issuer'
  | 'switch-auth'
  | 'rotate'
  | 'rotate-with-grace'
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
    arbitrary: plain('rotate', 'rotate-with-grace', 'switch-auth', 'new-issuer', 'damage-certificate'),
  },
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

function request({ app }: World, text: string): void {
  if (app !== undefined) Object.assign(app.metadata, { annotations: { [ANNOTATION_REQUEST]: text } });
}

function settle(world: World): void {
  reconcile(world);
}

const TO_WORKLOAD: Readonly<
  Record<Exclude<Targeted, 'signal' | 'stale-signal'>, (run: Run, workload: Workload) => void>
> = {
  delete: ({ world }, { uid }) => removeWorkload(world, uid),
  annotate: (_run, workload) => void (workload.hooks = ['complete']),
  unannotate: (_run, workload) => void (workload.hooks = []),
  'scale-up': (_run, workload) => void (workload.idle = false),
  // Only Jobs end by themselves.
  finish({ world }, workload) {
    if (world.workloads.length === 1) Object.assign(workload, { kind: 'Job', outcome: 'succeeded' });
  },
  pod({ world, heldTokens }, workload) {
    if (workload.idle || world.secret === undefined) return;
    const { holds } = addPod(world, workload);
    if (holds !== undefined) heldTokens.push(holds);
  },
};

const PLAIN: Readonly<Record<Plain, (run: Run) => void>> = {
  settle: ({ world }) => settle(world),
  wait: ({ world }) => void (world.now += TTL_MS / 2),
  'toggle-namespace'({ world }) {
    world.namespaceState = world.namespaceState === 'enabled' ? 'disabled' : 'enabled';
  },
  'delete-secret': ({ world }) => void (world.secret = undefined),
  'tamper-secret'({ world }) {
    if (world.secret) world.secret = { ...world.secret, tokenSha256: 'f'.repeat(64) };
  },
  'tamper-hash'({ world }) {
    if (world.app?.status?.tokenSha256 === undefined) return;
    world.app = { ...world.app, status: { ...world.app.status, tokenSha256: 'e'.repeat(64) } };
  },
  'damage-certificate': ({ world: { secret } }) => secret && void (secret.certificate = undefined),
  'new-issuer': ({ world }) => void (world.issuer = `issuer-${++world.counter}`),
  'switch-auth'({ world: { workloads } }) {
    for (const workload of workloads) workload.auth = workload.auth === 'token' ? 'pod-identity' : 'token';
  },
  rotate: ({ world }) => request(world, 'rotate'),
  'rotate-with-grace': ({ world }) => request(world, 'rotate:10m'),
  'remember-cache': (run) => void (run.cache = cacheOf(run.world)),
  'look-with-old-cache'({ world, cache }) {
    if (cache !== undefined) reconcile(world, { cache });
  },
};

function happen(run: Run, next: Happening): void {
  const { world, heldTokens } = run;
  const pick = <T>(list: readonly T[], position: number) => list[position % Math.max(1, list.length)];
  world.now += 1000;
  if (next.what === 'create') {
    const { name, action } = next;
    if (!world.workloads.some((workload) => workload.name === name)) addWorkload(world, { name, action });
  } else if (next.what === 'crash') {
    reconcile(world, { crashAfter: next.after, inToken: next.inToken });
  } else if (next.what === 'signal') {
    signal(world, pick(world.pods, next.at)?.holds);
  } else if (next.what === 'stale-signal') {
    signal(world, pick(heldTokens, next.at));
  } else if ('at' in next) {
    const workload = pick(world.workloads, next.at);
    if (workload) TO_WORKLOAD[next.what](run, workload);
  } else {
    PLAIN[next.what](run);
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

function checkRest({ workloads, app, secret, issuer }: World): void {
  const asking = workloads.filter(({ hooks }) => hooks.length > 0);
  if (asking.length === 0) {
    if (workloads.length > 0 && app) expect(isOver(app) || app.status?.tokenSha256 === undefined).toBe(true);
    return;
  }
  expect(app).toBeDefined();
  if (app && !isOver(app)) {
    // It runs: the token is known, the Secret holds it, and it speaks of exactly these workloads.
    const { phase, tokenSha256, workloads: bound = [], signals } = app.status ?? {};
    expect(phase).toBe('Running');
    expect(secret?.tokenSha256).toBe(tokenSha256);
    expect(tokenSha256 === undefined).toBe(app.spec.auth === 'pod-identity');
    const newest = app.status?.certificates?.at(-1);
    expect(secret?.certificate?.sha256).toBe(newest?.sha256);
    if (issuer !== undefined && app.spec.auth === 'token') expect(newest?.issuerSha256).toBe(issuer);
    expect(app.metadata.annotations ?? {}).toEqual({});
    expect(app.status).not.toHaveProperty('handledRotation');
    expect(bound.map(({ uid }) => uid).sort()).toEqual(asking.map(({ uid }) => uid).sort());
    expect(signals?.complete).toBeUndefined();
  }
  for (const workload of asking) expect(workload.stamped).toBe(true);
}

function isOver({ status }: NonNullable<World['app']>): boolean {
  return status?.finishedAt !== undefined;
}
