import { describe, expect, it } from '@jest/globals';
import { planApplication } from '../../../src/applications/plan-application.ts';
import type { ApplicationView, Step } from '../../../src/applications/application-view.ts';
import {
  APPLICATION,
  NAMESPACE,
  timeOf,
  TTL_MS,
  addPod,
  addWorkload,
  cacheOf,
  createWorld,
  reconcile,
  removeWorkload,
  signal,
  type Workload,
  type World,
  liveOf,
} from './world.ts';

interface Running {
  readonly world: World;
  readonly workload: Workload;
  readonly token: string;
}

function running(change: Partial<Workload> = {}): Running {
  const world = createWorld();
  const workload = addWorkload(world, change);
  reconcile(world);
  const token = world.app?.status?.tokenSha256;
  if (token === undefined) throw new Error('it has no token');
  addPod(world, workload);
  return { world, workload, token };
}

const names = (steps: readonly Step[]) => steps.map((step) => step.do);
const reasons = (steps: readonly Step[]) =>
  steps.flatMap((step) => ('events' in step ? (step.events ?? []).map(({ reason }) => reason) : []));
const conditionOf = (world: World, type: string) =>
  world.app?.status?.conditions?.find((c) => c.type === type);

describe('planApplication', () => {
  it('gives a new workload its Secret in three writes, before it reads anything', () => {
    const world = createWorld();
    addWorkload(world);
    expect(names(reconcile(world))).toEqual(['create', 'issue-token', 'observe', 'write-status', 'rest']);
    expect(world.app?.status?.phase).toBe('Running');
  });

  it('writes nothing when everything is in order', () => {
    const { world } = running();
    expect(names(reconcile(world))).toEqual(['observe', 'rest']);
  });

  it('says first that the signal has come, then deletes, then says how it ended, each once', () => {
    const { world, workload, token } = running();
    signal(world, token);
    const steps = reconcile(world);
    expect(names(steps).filter((name) => name !== 'observe')).toEqual([
      'write-status',
      'delete-workload',
      'write-status',
      'rest',
    ]);
    expect(reasons(steps)).toEqual(['CompleteReceived', 'DeletedByCompleteHook', 'Completed']);
    expect(world.acted).toEqual([{ uid: workload.uid, action: 'delete', wasSignalled: true }]);
    expect(conditionOf(world, 'Completed')).toMatchObject({
      status: 'True',
      reason: 'DeletedByCompleteHook',
    });
  });

  it('waits for a workload that a finalizer holds, and does not delete it again', () => {
    const { world, workload, token } = running();
    signal(world, token);
    workload.deleting = true;
    expect(names(reconcile(world))).toEqual(['observe', 'write-status', 'rest']);
    expect(world.acted).toEqual([]);
    expect(world.app?.status?.phase).toBe('Deleting');
    expect(names(reconcile(world))).toEqual(['observe', 'rest']);
  });

  it('does nothing to a workload with the action none', () => {
    const { world, token } = running({ action: 'none' });
    signal(world, token);
    reconcile(world);
    expect(world.acted).toEqual([]);
    expect(conditionOf(world, 'Completed')).toMatchObject({ status: 'True', reason: 'NoAction' });
  });

  it('scales to zero, and starts anew with a new token when its user scales it up', () => {
    const { world, workload, token } = running({ action: 'scale-to-zero' });
    signal(world, token);
    reconcile(world);
    expect(world.acted).toEqual([{ uid: workload.uid, action: 'scale-to-zero', wasSignalled: true }]);
    expect(conditionOf(world, 'Completed')).toMatchObject({ status: 'True', reason: 'ScaledToZero' });
    reconcile(world);
    expect(world.secret).toBeUndefined();

    workload.idle = false;
    expect(reasons(reconcile(world))).toContain('StartedAnew');
    expect(world.app?.status).toMatchObject({ phase: 'Running' });
    expect(world.app?.status?.signals).toEqual({});
    expect(world.app?.status?.tokenSha256).not.toBe(token);
    expect(world.acted).toHaveLength(1);
  });

  it.each<[Workload['kind']]>([['DaemonSet'], ['Pod']])('takes scale-to-zero of a %s for none', (kind) => {
    const { world, token } = running({ kind, action: 'scale-to-zero' });
    expect(world.app?.spec.completeAction).toBe('none');
    signal(world, token);
    reconcile(world);
    expect(world.acted).toEqual([]);
  });

  it('leaves a namesake alone, forgets what was said of the former one and gives it a new token', () => {
    const { world, workload, token } = running();
    signal(world, token);
    removeWorkload(world, workload.uid);
    const next = addWorkload(world);
    expect(reasons(reconcile(world))).toContain('StartedAnew');
    expect(world.acted).toEqual([]);
    expect(world.app?.status).toMatchObject({ phase: 'Running', workloads: [{ uid: next.uid }] });
    expect(world.app?.status?.tokenSha256).not.toBe(token);
    expect(signal(world, token)).toBe(false);
  });

  it('does not act on a workload that joined after the signal', () => {
    const { world, token } = running();
    signal(world, token);
    const late = addWorkload(world, { name: 'late' });
    reconcile(world);
    expect(world.acted.map(({ uid }) => uid)).not.toContain(late.uid);
    expect(world.app?.status).toMatchObject({ phase: 'Running', workloads: [{ uid: late.uid }] });
  });

  it('voids the token at once when the hook is switched off, and forgets its signal', () => {
    const { world, workload, token } = running();
    signal(world, token);
    workload.hooks = [];
    const steps = reconcile(world);
    expect(names(steps).slice(1)).toEqual(['update-spec', 'write-status', 'repair-stamp', 'observe', 'rest']);
    expect(world.app?.status?.tokenSha256).toBeUndefined();
    workload.hooks = ['complete'];
    reconcile(world);
    expect(world.acted).toEqual([]);
    expect(world.app?.status?.phase).toBe('Running');
  });

  it('keeps Application and Secret of a workload without hooks while a pod lives, then removes both', () => {
    const { world, workload } = running();
    workload.hooks = [];
    reconcile(world);
    expect([world.app, world.secret]).not.toContain(undefined);
    world.pods = [];
    reconcile(world);
    expect([world.app, world.secret]).toEqual([undefined, undefined]);
  });

  it('voids the token of a namespace that is opted out, and leaves its stamps', () => {
    const { world, workload } = running();
    world.namespaceState = 'disabled';
    workload.stamped = false;
    expect(names(reconcile(world))).toEqual(['observe', 'write-status', 'rest']);
    expect(conditionOf(world, 'SecretReady')).toMatchObject({ reason: 'NamespaceNotEnabled' });
  });

  it('does nothing in a namespace that goes', () => {
    const { world, workload, token } = running();
    signal(world, token);
    removeWorkload(world, workload.uid);
    world.namespaceState = 'terminating';
    expect(names(reconcile(world))).toEqual(['rest']);
  });

  it('keeps what is over for its time to live, and not while a pod still needs it', () => {
    const { world, workload } = running();
    removeWorkload(world, workload.uid);
    reconcile(world);
    expect(world.app?.status).toMatchObject({ phase: 'Completed' });
    expect(reconcile(world).at(-1)).toEqual({ do: 'rest', until: world.now + TTL_MS });
    world.now += TTL_MS - 1;
    reconcile(world);
    expect(world.app).toBeDefined();
    world.now += 1;
    reconcile(world);
    expect(world.app).toBeUndefined();
  });

  it('sees a Job that ended by itself, and still carries out the signal that came with its end', () => {
    const { world, workload, token } = running({ kind: 'Job' });
    workload.outcome = 'failed';
    reconcile(world);
    expect(world.app?.status?.phase).toBe('Failed');
    signal(world, token);
    reconcile(world);
    expect(world.acted).toHaveLength(1);
    expect(world.app?.status?.phase).toBe('Completed');
  });

  it.each<[string, (world: World) => void, string, string]>([
    ['deleted', (world) => void (world.secret = undefined), 'issue-token', 'SecretRepaired'],
    [
      'given another token',
      (world) =>
        void (world.secret = {
          tokenSha256: 'f'.repeat(64),
          inOrder: true,
          foreign: false,
          certificate: undefined,
        }),
      'issue-token',
      'SecretRepaired',
    ],
    [
      'given another CA bundle',
      (world) => {
        if (world.secret) world.secret.inOrder = false;
      },
      'write-secret',
      'SecretUpdated',
    ],
  ])('repairs a Secret that was %s', (_what, change, step, reason) => {
    const { world } = running();
    change(world);
    const steps = reconcile(world);
    expect(names(steps)).toContain(step);
    expect(reasons(steps)).toContain(reason);
    expect(world.secret?.tokenSha256).toBe(world.app?.status?.tokenSha256);
  });

  it('says that pods hold a void token until they are gone', () => {
    const { world, workload } = running();
    world.now += 5_000;
    world.secret = undefined;
    reconcile(world);
    expect(conditionOf(world, 'PodsInjected')).toMatchObject({ status: 'False', reason: 'TokenRenewed' });
    world.pods = [];
    world.now += 1_000;
    addPod(world, workload);
    reconcile(world);
    expect(conditionOf(world, 'PodsInjected')).toMatchObject({ status: 'True' });
  });

  it('touches no Secret that it did not make, says so once, and goes on when it is gone', () => {
    const world = createWorld();
    addWorkload(world);
    world.secret = { tokenSha256: 'f'.repeat(64), inOrder: false, foreign: true, certificate: undefined };
    reconcile(world, { crashAfter: 1 });
    // What the API server answers to the first token's Secret: it is there already.
    if (world.app) world.app = { ...world.app, status: { phase: 'Pending', tokenSha256: 'a'.repeat(64) } };
    const steps = reconcile(world);
    expect(names(steps)).not.toContain('write-secret');
    expect(reasons(steps).filter((reason) => reason === 'ForeignSecret')).toHaveLength(1);
    expect(world.app?.status).toMatchObject({ phase: 'Degraded' });
    expect(world.app?.status?.tokenSha256).toBeUndefined();
    expect(names(reconcile(world))).toEqual(['observe', 'rest']);
    world.secret = undefined;
    reconcile(world);
    expect(world.app?.status?.phase).toBe('Running');
  });

  it('reports a Job that admission did not see', () => {
    const { world, workload } = running({ kind: 'Job' });
    const view = viewOf(world, workload, { injected: false });
    const step = planApplication(view, timeOf(world));
    expect(step).toMatchObject({ do: 'write-status', status: { phase: 'Degraded' } });
    expect(reasons([step])).toEqual(['NotInjected']);
  });

  it('reports pods that were there before the hooks, with an Event once a rollout should be over', () => {
    const { world, workload } = running();
    const look = () => planApplication(viewOf(world, workload, { replicas: 3 }), timeOf(world));
    const found = look();
    expect(found).toMatchObject({ do: 'write-status' });
    if (found.do === 'write-status' && world.app) world.app = { ...world.app, status: found.status };
    expect(conditionOf(world, 'PodsInjected')).toMatchObject({ status: 'False', reason: 'StartedBefore' });
    expect(look()).toEqual({ do: 'rest', until: world.now + 15_000 });
    world.now += 61_000;
    expect(reasons([look()])).toEqual(['PodsStartedBefore']);
    world.now += 600_000;
    expect(reasons([look()])).toEqual([]);
  });
});

function viewOf(
  world: World,
  workload: Workload,
  change: { readonly injected?: boolean; readonly replicas?: number },
): ApplicationView {
  return {
    namespace: NAMESPACE,
    name: APPLICATION,
    ...cacheOf(world),
    application: world.app,
    tried: new Set(),
    calls: new Map(),
    caBundleSha256: world.app?.status?.caBundleSha256 ?? '',
    issuerSha256: undefined,
    issuerNotAfter: undefined,
    live: {
      secret: {
        state: 'ours',
        uid: 's',
        resourceVersion: '1',
        tokenSha256: world.secret?.tokenSha256,
        certificate: undefined,
        inOrder: true,
        deleting: false,
        held: false,
        finalizers: [],
      },
      pods: undefined,
      target: undefined,
      workloads: [
        {
          ...liveOf({ ...workload, hooks: ['complete'], idle: false, outcome: undefined }),
          replicas: change.replicas,
          injected: change.injected ?? true,
          stampPatch: undefined,
        },
      ],
    },
  };
}
