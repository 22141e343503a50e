import { describe, expect, it } from '@jest/globals';
import { addPod, addWorkload, createWorld, reconcile, type Pod, type Workload, type World } from './world.ts';

function running(
  completeWhen: string,
  wanted: number,
  change: Partial<Workload> = {},
): { readonly world: World; readonly workload: Workload; readonly pods: Pod[] } {
  const world = createWorld();
  const workload = addWorkload(world, { auth: 'pod-identity', completeWhen, wanted, ...change });
  reconcile(world);
  const pods = Array.from({ length: wanted }, () => addPod(world, workload));
  reconcile(world);
  return { world, workload, pods };
}

function say(world: World, ...uids: readonly (string | undefined)[]): void {
  const { app } = world;
  if (app === undefined) throw new Error('no application');
  const completeFrom = { ...app.status?.signals?.completeFrom };
  for (const uid of uids) {
    world.now += 1_000;
    const pod = { name: uid ?? '', uid: uid ?? '' };
    completeFrom[uid ?? ''] = {
      receivedAt: new Date(world.now).toISOString(),
      provenBy: 'pod-identity',
      pod,
    };
  }
  world.app = { ...app, status: { ...app.status, signals: { ...app.status?.signals, completeFrom } } };
}

const isComplete = (world: World) => {
  reconcile(world);
  return world.app?.status?.signals?.complete !== undefined;
};
const messageOf = (world: World) =>
  world.app?.status?.conditions?.find(({ type }) => type === 'Completed')?.message;

describe('complete-when all', () => {
  it('is when the last pod has said so; its word is the signal, and the workload is deleted', () => {
    const { world, workload, pods } = running('all', 3);
    say(world, pods[0]?.uid, pods[2]?.uid);
    expect(isComplete(world)).toBe(false);
    expect(messageOf(world)).toBe('2 of 3 pods are complete (complete-when all)');
    say(world, pods[1]?.uid);
    expect(isComplete(world)).toBe(true);
    expect(world.app?.status?.signals?.complete).toMatchObject({
      provenBy: 'pod-identity',
      pod: { uid: pods[1]?.uid },
    });
    expect(world.acted).toEqual([{ uid: workload.uid, action: 'delete', wasSignalled: true }]);
  });

  it.each<[string, (world: World, pods: Pod[], workload: Workload) => void, boolean]>([
    [
      'one was replaced: its successor is awaited',
      (world, [first], workload) => {
        world.pods = world.pods.filter((pod) => pod !== first);
        addPod(world, workload);
      },
      false,
    ],
    [
      'one is gone and its successor is not there yet',
      (world, [first]) => {
        world.pods = world.pods.filter((pod) => pod !== first);
      },
      false,
    ],
    [
      'the workload wants one less',
      (world, [first], workload) => {
        world.pods = world.pods.filter((pod) => pod !== first);
        workload.wanted = 2;
      },
      true,
    ],
    [
      'one has succeeded',
      (_world, [first], workload) => {
        if (first) first.ended = 'succeeded';
        workload.wanted = 2;
      },
      true,
    ],
    [
      'one has failed and is made again',
      (_world, [first]) => {
        if (first) first.ended = 'failed';
      },
      false,
    ],
    ['there is one more', (world, _pods, workload) => void addPod(world, workload), false],
  ])('two of three, and %s', (_what, happen, expected) => {
    const { world, workload, pods } = running('all', 3);
    say(world, pods[1]?.uid, pods[2]?.uid);
    happen(world, pods, workload);
    expect(isComplete(world)).toBe(expected);
  });

  it('is not when nobody who has said so is there any more: scaled to zero', () => {
    const { world, workload, pods } = running('all', 2);
    say(world, pods[0]?.uid);
    world.pods = [];
    workload.wanted = 0;
    expect(isComplete(world)).toBe(false);
  });
});

describe('complete-when with a number', () => {
  it('counts different pods, those that are gone and those that have succeeded too', () => {
    const { world, pods } = running('3', 4);
    say(world, pods[0]?.uid);
    say(world, pods[0]?.uid);
    world.pods = world.pods.slice(1);
    expect(isComplete(world)).toBe(false);
    expect(messageOf(world)).toBe('1 of 3 pods are complete (complete-when 3)');
    if (pods[3]) pods[3].ended = 'succeeded';
    expect(isComplete(world)).toBe(false);
    say(world, pods[1]?.uid);
    expect(isComplete(world)).toBe(true);
  });

  it('looks again by itself while it counts, and not before', () => {
    const { world, pods } = running('2', 2);
    expect(reconcile(world).at(-1)).toEqual({ do: 'rest' });
    say(world, pods[0]?.uid);
    reconcile(world);
    expect(reconcile(world).at(-1)).toEqual({ do: 'rest', until: world.now + 15_000 });
  });
});

describe('complete-when any', () => {
  it('is not for the controller to count, also when it was another number before', () => {
    const { world, workload, pods } = running('2', 2);
    say(world, pods[0]?.uid);
    workload.completeWhen = 'any';
    expect(isComplete(world)).toBe(false);
    workload.completeWhen = 'all';
    workload.auth = 'token';
    expect(isComplete(world)).toBe(false);
  });
});
