// A small world of one application for tests of the plan: it carries out steps on plain data. It is no Kubernetes; what the real API server does
// with these steps is tested in test/integration.
import { planApplication } from '../../../src/applications/plan-application.ts';
import { sha256 } from '../../../src/applications/application-secret.ts';
import type { ApplicationView, Step } from '../../../src/applications/application-view.ts';
import type { Application, ApplicationKind } from '../../../src/applications/application.ts';
import type { LabelledPod } from '../../../src/applications/labelled-pod.ts';
import type { LiveWorkload } from '../../../src/applications/live-workload.ts';
import type { PlanTime } from '../../../src/applications/situation.ts';
import type { Member } from '../../../src/applications/member.ts';
import {
  DEFAULT_SHUTDOWN,
  WORKLOAD_KINDS,
  type CompleteAction,
  type Hook,
} from '../../../src/contract/index.ts';

export const APPLICATION = 'deployment-web';
export const NAMESPACE = 'shop';
export const TTL_MS = 3_600_000;

export interface World {
  now: number;
  namespaceState: ApplicationView['namespaceState'];
  workloads: Workload[];
  app: Application | undefined;
  secret: { tokenSha256: string; inOrder: boolean; foreign: boolean } | undefined;
  pods: Pod[];
  /** UIDs that the stored complete signal spoke of. */
  signalled: ReadonlySet<string>;
  acted: Act[];
  appsDeleted: number;
  counter: number;
}

export interface Act {
  readonly uid: string;
  readonly action: 'delete' | 'scale-to-zero';
  /** A complete signal was stored, and it spoke of this workload. */
  readonly wasSignalled: boolean;
}

export interface Workload {
  kind: ApplicationKind;
  name: string;
  uid: string;
  hooks: readonly Hook[];
  action: CompleteAction;
  idle: boolean;
  deleting: boolean;
  outcome: 'succeeded' | 'failed' | undefined;
  stamped: boolean;
}

export interface Pod {
  uid: string;
  workload: string;
  /** SHA-256 of the token that it holds; undefined: it waits for the Secret. */
  holds: string | undefined;
  createdAtMs: number;
}

export function createWorld(): World {
  return {
    now: Date.parse('2026-01-01T00:00:00Z'),
    namespaceState: 'enabled',
    workloads: [],
    app: undefined,
    secret: undefined,
    pods: [],
    signalled: new Set(),
    acted: [],
    appsDeleted: 0,
    counter: 0,
  };
}

export function addWorkload(world: World, change: Partial<Workload> = {}): Workload {
  const workload: Workload = {
    kind: 'Deployment',
    name: 'web',
    uid: `w${++world.counter}`,
    hooks: ['complete'],
    action: 'delete',
    idle: false,
    deleting: false,
    outcome: undefined,
    stamped: true,
    ...change,
  };
  world.workloads.push(workload);
  return workload;
}

export function addPod(world: World, workload: Workload): Pod {
  const holds = world.secret?.tokenSha256;
  const pod = { uid: `p${++world.counter}`, workload: workload.uid, holds, createdAtMs: world.now };
  world.pods.push(pod);
  return pod;
}

/** A pod signals with the token that it holds, as callbacks store it: a void token stores nothing. */
export function signal(world: World, holds: string | undefined): boolean {
  const { app } = world;
  if (holds === undefined || app?.status?.tokenSha256 !== holds || !app.spec.hooks.includes('complete'))
    return false;
  if (app.status.signals?.complete !== undefined) return true;
  const complete = { receivedAt: new Date(world.now).toISOString(), provenBy: 'token' as const };
  world.app = bump(world, {
    ...app,
    status: { ...app.status, signals: { ...app.status.signals, complete } },
  });
  world.signalled = new Set((app.status.workloads ?? []).map(({ uid }) => uid));
  return true;
}

/** What watch caches would show now. */
export function cacheOf(world: World): Pick<ApplicationView, 'members' | 'pods' | 'namespaceState'> {
  return {
    namespaceState: world.namespaceState,
    members: world.workloads.filter(({ hooks }) => hooks.length > 0).map(memberOf),
    pods: world.pods.map((pod): LabelledPod => ({
      namespace: NAMESPACE,
      name: pod.uid,
      uid: pod.uid,
      application: APPLICATION,
      createdAtMs: pod.createdAtMs,
      deleting: false,
      ownerKind: undefined,
      ownerName: undefined,
      self: undefined,
    })),
  };
}

export interface RunOptions {
  /** Steps until the controller dies; `inToken`: within one that issues a token, between its two writes. */
  readonly crashAfter?: number;
  readonly inToken?: boolean;
  readonly cache?: ReturnType<typeof cacheOf>;
}

/** Plans and performs until it rests; returns the steps. Throws if it never rests. */
export function reconcile(world: World, options: RunOptions = {}): Step[] {
  const steps: Step[] = [];
  let view: ApplicationView = {
    namespace: NAMESPACE,
    name: APPLICATION,
    ...(options.cache ?? cacheOf(world)),
    application: world.app,
    live: undefined,
    tried: new Set(),
    caBundleSha256: sha256('bundle'),
    calls: new Map(),
  };
  for (let count = 0; count < 60; count++) {
    if (count === options.crashAfter) return steps;
    const step = planApplication(view, timeOf(world));
    steps.push(step);
    if (step.do === 'rest') return steps;
    const crashes = options.inToken === true && step.do === 'issue-token';
    perform(world, step, crashes);
    if (crashes) return steps;
    view = {
      ...view,
      application: world.app,
      live: step.do === 'write-status' || step.do === 'update-spec' ? view.live : undefined,
      tried: step.do === 'repair-stamp' ? new Set([...view.tried, step.workload.ref.uid]) : view.tried,
    };
    if (step.do === 'observe') view = { ...view, live: observe(world) };
    if (step.do === 'issue-token' || step.do === 'delete-application') {
      view = { ...view, ...cacheOf(world), tried: new Set() };
    }
  }
  throw new Error(`never rests: ${steps.map((step) => step.do).join(', ')}`);
}

/** The shutdown hook is off here: conversation-world.ts has its steps. */
type Perform = {
  readonly [D in Step['do']]?: (world: World, step: Extract<Step, { do: D }>, crashes: boolean) => void;
};

const PERFORM: Perform = {
  create(world, { spec }) {
    world.app = bump(world, { ...newApplication(`a${++world.counter}`), spec });
  },
  'update-spec'(world, { spec }) {
    if (world.app) world.app = bump(world, { ...world.app, spec }, 1);
  },
  'write-status'(world, { status }) {
    if (world.app) world.app = bump(world, { ...world.app, status });
  },
  'issue-token'(world, { status }, crashes) {
    const tokenSha256 = sha256(`token${++world.counter}`);
    if (world.app) world.app = bump(world, { ...world.app, status: { ...status, tokenSha256 } });
    if (status.signals?.complete === undefined) world.signalled = new Set();
    if (!crashes) world.secret = { tokenSha256, inOrder: true, foreign: false };
  },
  'write-secret'({ secret }) {
    if (secret) secret.inOrder = true;
  },
  'delete-secret': (world) => void (world.secret = undefined),
  'delete-application'(world) {
    Object.assign(world, { app: undefined, secret: undefined, appsDeleted: world.appsDeleted + 1 });
  },
  'repair-stamp'(world, step) {
    const workload = findWorkload(world, step.workload.ref.uid);
    if (workload) workload.stamped = workload.hooks.length > 0;
  },
  'delete-workload'(world, { workload: { ref } }) {
    act(world, ref.uid, 'delete');
    removeWorkload(world, ref.uid);
  },
  'scale-workload'(world, { workload: { ref } }) {
    act(world, ref.uid, 'scale-to-zero');
    const workload = findWorkload(world, ref.uid);
    if (workload) workload.idle = true;
    world.pods = world.pods.filter((pod) => pod.workload !== ref.uid);
  },
};

/** Deadlines by the world's own clock. */
export function timeOf({ now }: Pick<World, 'now'>): PlanTime {
  return { now, finishedTtlMs: TTL_MS, remainingMs: ({ deadline }) => Date.parse(deadline) - now };
}

function perform(world: World, step: Step, crashes: boolean): void {
  const one = PERFORM[step.do] as ((world: World, step: Step, crashes: boolean) => void) | undefined;
  one?.(world, step, crashes);
}

function findWorkload(world: World, uid: string): Workload | undefined {
  return world.workloads.find((workload) => workload.uid === uid);
}

function newApplication(uid: string): Omit<Application, 'spec'> {
  const labels = { 'app.kubernetes.io/managed-by': 'krake-hooks' };
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: APPLICATION, namespace: NAMESPACE, uid, generation: 1, labels },
  };
}

function act(world: World, uid: string, action: Act['action']): void {
  const wasSignalled = world.signalled.has(uid) && world.app?.status?.signals?.complete !== undefined;
  world.acted.push({ uid, action, wasSignalled });
}

export function removeWorkload(world: World, uid: string): void {
  world.workloads = world.workloads.filter((workload) => workload.uid !== uid);
  world.pods = world.pods.filter(({ workload }) => workload !== uid);
}

function bump(world: World, app: Application, generations = 0): Application {
  const generation = (app.metadata.generation ?? 0) + generations;
  return { ...app, metadata: { ...app.metadata, generation, resourceVersion: String(++world.counter) } };
}

function memberOf(workload: Workload): Member {
  return {
    kind: workload.kind,
    namespace: NAMESPACE,
    name: workload.name,
    uid: workload.uid,
    application: APPLICATION,
    hooks: workload.hooks.join(','),
    containers: undefined,
    completeAction: workload.action,
    shutdown: DEFAULT_SHUTDOWN,
    held: false,
    orphaning: false,
    generation: 1,
    deleting: workload.deleting,
    claimed: false,
    revision: '',
  };
}

function observe(world: World): NonNullable<ApplicationView['live']> {
  const { secret } = world;
  const isKnown = ({ uid, hooks, name, kind }: Workload) =>
    hooks.length > 0 ||
    world.app?.status?.workloads?.some(
      (ref) => ref.uid === uid || (ref.name === name && ref.kind === kind),
    ) === true;
  return {
    workloads: world.workloads.filter(isKnown).map(liveOf),
    secret:
      secret === undefined
        ? { state: 'absent' }
        : secret.foreign
          ? { state: 'foreign' }
          : { state: 'ours', uid: 's', resourceVersion: '1', deleting: false, held: false, ...secret },
    pods: undefined,
    target: undefined,
  };
}

export function liveOf(workload: Workload): LiveWorkload {
  const { kind, name, uid, hooks, action } = workload;
  const stampIsRight = workload.stamped === hooks.length > 0;
  return {
    ref: { apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind, name, uid },
    resourceVersion: '1',
    deleting: workload.deleting,
    deletedAtMs: 0,
    held: false,
    orphaning: false,
    finalizers: [],
    nodeSelector: {},
    asked:
      hooks.length === 0
        ? undefined
        : { hooks, completeAction: action, shutdown: DEFAULT_SHUTDOWN, from: 'workload' },
    claimed: false,
    isPart: false,
    ownLabel: undefined,
    annotations: {},
    idle: workload.idle,
    outcome: workload.outcome,
    replicas: undefined,
    injected: true,
    stampPatch: stampIsRight ? undefined : [{ op: 'add' }],
  };
}
