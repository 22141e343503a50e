// A small world of one application for tests of the plan: it carries out steps on plain data. It is no Kubernetes; what the real API server does
// with these steps is tested in test/integration.
import { planApplication } from '../../../src/applications/plan-application.ts';
import { sha256 } from '../../../src/applications/application-secret.ts';
import type { ApplicationView, Step } from '../../../src/applications/application-view.ts';
import type { Application, ApplicationKind } from '../../../src/applications/application.ts';
import type { LabelledPod } from '../../../src/applications/labelled-pod.ts';
import type { LiveWorkload } from '../../../src/applications/live-workload.ts';
import type { PlanTime } from '../../../src/applications/situation.ts';
import type { LivePod } from '../../../src/applications/shutdown/live-pod.ts';
import type { Member } from '../../../src/applications/member.ts';
import {
  DEFAULT_SHUTDOWN,
  WORKLOAD_KINDS,
  type Auth,
  type CompleteAction,
  type Hook,
} from '../../../src/contract/index.ts';
import { APPLICATION, CERTIFICATE_MS, NAMESPACE, bump, perform, removeWorkload } from './world-steps.ts';

export { APPLICATION, CERTIFICATE_MS, NAMESPACE, removeWorkload };
export const TTL_MS = 3_600_000;

export interface World {
  now: number;
  namespaceState: ApplicationView['namespaceState'];
  workloads: Workload[];
  app: Application | undefined;
  secret: WorldSecret | undefined;
  /** SHA-256 of the certificate that signs; undefined: applications have a token alone. */
  issuer: string | undefined;
  /** When that ends, ms since 1970; undefined: never. */
  issuerNotAfter: number | undefined;
  /** Of a certificate. */
  lifeMs: number;
  tokens: { lifetimeMs: number; graceMs: number };
  pods: Pod[];
  /** UIDs that the stored complete signal spoke of. */
  signalled: ReadonlySet<string>;
  acted: Act[];
  appsDeleted: number;
  counter: number;
}

export interface WorldSecret {
  tokenSha256: string | undefined;
  certificate: { sha256: string; issuerSha256: string } | undefined;
  inOrder: boolean;
  foreign: boolean;
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
  auth: Auth;
  completeWhen: string;
  idle: boolean;
  deleting: boolean;
  outcome: 'succeeded' | 'failed' | undefined;
  stamped: boolean;
  wanted?: number;
}

export interface Pod {
  uid: string;
  workload: string;
  /** SHA-256 of the token that it holds; undefined: it waits for the Secret. */
  holds: string | undefined;
  createdAtMs: number;
  ended?: 'succeeded' | 'failed';
}

export function createWorld(): World {
  return {
    now: Date.parse('2026-01-01T00:00:00Z'),
    namespaceState: 'enabled',
    workloads: [],
    app: undefined,
    secret: undefined,
    issuer: undefined,
    issuerNotAfter: undefined,
    lifeMs: CERTIFICATE_MS,
    tokens: { lifetimeMs: 0, graceMs: 0 },
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
    auth: 'token',
    completeWhen: 'any',
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
    issuerSha256: world.issuer,
    issuerNotAfter: world.issuerNotAfter,
    calls: new Map(),
  };
  for (let count = 0; count < 60; count++) {
    if (count === options.crashAfter) return steps;
    const step = planApplication(view, timeOf(world));
    steps.push(step);
    if (step.do === 'rest') return steps;
    const crashes =
      options.inToken === true && (step.do === 'issue-token' || step.do === 'issue-certificate');
    perform(world, step, crashes);
    if (crashes) return steps;
    const isSameProof = view.application?.spec.auth === world.app?.spec.auth;
    const keepsLive = ['write-status', 'update-spec', 'store-complete'].includes(step.do) && isSameProof;
    view = {
      ...view,
      application: world.app,
      live: keepsLive ? view.live : undefined,
      tried: step.do === 'repair-stamp' ? new Set([...view.tried, step.workload.ref.uid]) : view.tried,
    };
    if (step.do === 'observe') view = { ...view, live: observe(world) };
    if (step.do === 'observe-pods') view = { ...view, live: { ...observe(world), pods: livePods(world) } };
    if (step.do === 'issue-token' || step.do === 'issue-certificate' || step.do === 'delete-application') {
      view = { ...view, ...cacheOf(world), tried: new Set() };
    }
  }
  throw new Error(`never rests: ${steps.map((step) => step.do).join(', ')}`);
}

/** Deadlines by the world's own clock. */
export function timeOf({ now, tokens }: Pick<World, 'now' | 'tokens'>): PlanTime {
  return { now, finishedTtlMs: TTL_MS, remainingMs: ({ deadline }) => Date.parse(deadline) - now, tokens };
}

function livePods(world: World): LivePod[] {
  return world.pods.map(({ uid, ended }) => ({
    uid,
    name: uid,
    deleting: false,
    started: true,
    finished: ended !== undefined,
    succeeded: ended === 'succeeded',
    createdAtMs: 0,
    address: undefined,
    ports: {},
    rootUid: undefined,
    owner: undefined,
  }));
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
    completeWhen: workload.completeWhen,
    auth: workload.auth,
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
          : {
              state: 'ours',
              uid: 's',
              resourceVersion: '1',
              deleting: false,
              held: false,
              finalizers: [],
              ...secret,
              inOrder:
                secret.inOrder && (world.app?.spec.auth === 'token' || secret.tokenSha256 === undefined),
            },
    pods: undefined,
    target: undefined,
  };
}

export function liveOf(workload: Workload): LiveWorkload {
  const { kind, name, uid, hooks, action, completeWhen, auth } = workload;
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
        : { hooks, completeAction: action, completeWhen, auth, shutdown: DEFAULT_SHUTDOWN, from: 'workload' },
    claimed: false,
    isPart: false,
    ownLabel: undefined,
    annotations: {},
    idle: workload.idle,
    outcome: workload.outcome,
    replicas: undefined,
    wanted: workload.wanted ?? 0,
    injected: true,
    stampPatch: stampIsRight ? undefined : [{ op: 'add' }],
  };
}
