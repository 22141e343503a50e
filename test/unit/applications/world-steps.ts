// What the steps of the plan do to the small world of world.ts.
import { sha256 } from '../../../src/applications/application-secret.ts';
import type { Step } from '../../../src/applications/application-view.ts';
import type { Application, ApplicationStatus } from '../../../src/applications/application.ts';
import { withoutRequest } from '../../../src/applications/shutdown/perform-shutdown.ts';
import type { Auth } from '../../../src/contract/index.ts';
import type { Act, Workload, World, WorldSecret } from './world.ts';

export const APPLICATION = 'deployment-web';
export const NAMESPACE = 'shop';
export const CERTIFICATE_MS = 86_400_000;

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
  'store-complete'(world, { status }) {
    world.signalled = new Set((status.workloads ?? []).map(({ uid }) => uid));
    if (world.app) world.app = bump(world, { ...world.app, status });
  },
  'issue-token'(world, { status }, crashes) {
    const auth = world.app?.spec.auth ?? 'token';
    const tokenSha256 = auth === 'token' ? sha256(`token${++world.counter}`) : undefined;
    const token =
      tokenSha256 === undefined ? {} : { tokenSha256, tokenIssuedAt: new Date(world.now).toISOString() };
    const certificate = list(world, { ...status, ...token }, auth);
    if (status.signals?.complete === undefined) world.signalled = new Set();
    if (!crashes) world.secret = { tokenSha256, certificate, inOrder: true, foreign: false };
  },
  'issue-certificate'(world, { status }, crashes) {
    const certificate = list(world, status, 'token');
    if (!crashes && world.secret) world.secret = { ...world.secret, certificate, inOrder: true };
  },
  'write-secret'({ secret, app }) {
    if (!secret) return;
    secret.inOrder = true;
    if (app?.spec.auth === 'pod-identity')
      Object.assign(secret, { tokenSha256: undefined, certificate: undefined });
  },
  'drop-request'(world, { request }) {
    if (world.app) world.app = bump(world, withoutRequest(world.app, request));
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

/** Stores the status, with another certificate if there is an issuer. */
function list(world: World, status: ApplicationStatus, auth: Auth): WorldSecret['certificate'] {
  const certificate =
    world.issuer === undefined || auth !== 'token' || (world.issuerNotAfter ?? Infinity) <= world.now
      ? undefined
      : { sha256: sha256(`certificate${++world.counter}`), issuerSha256: world.issuer };
  const lifeMs = Math.min(world.lifeMs, (world.issuerNotAfter ?? Infinity) - world.now);
  const at = (ms: number) => new Date(world.now + ms).toISOString();
  const listed = certificate && {
    ...certificate,
    notBefore: at(0),
    renewAt: at((lifeMs * 2) / 3),
    notAfter: at(lifeMs),
  };
  const certificates = listed && { certificates: [...(status.certificates ?? []), listed] };
  if (world.app) world.app = bump(world, { ...world.app, status: { ...status, ...certificates } });
  return certificate;
}

/** Carries one step out; `crashes`: the controller dies between the two writes of one that issues something. */
export function perform(world: World, step: Step, crashes: boolean): void {
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

export function bump(world: World, app: Application, generations = 0): Application {
  const generation = (app.metadata.generation ?? 0) + generations;
  return { ...app, metadata: { ...app.metadata, generation, resourceVersion: String(++world.counter) } };
}
