// One application with running pods for tests of the conversation's rules: situations are built, and the steps that the plan says are applied to
// plain data. What the real API server does with them is tested in test/integration.
import type { PlannedEvent, Step } from '../../../src/applications/application-view.ts';
import type { Application, ApplicationStatus } from '../../../src/applications/application.ts';
import type { Conversation, GoingPod, ShutdownSpec } from '../../../src/applications/conversation.ts';
import type { LiveWorkload } from '../../../src/applications/live-workload.ts';
import type { CallState } from '../../../src/applications/shutdown/conversation-calls.ts';
import type { PlannedCall } from '../../../src/applications/shutdown/draft.ts';
import type { LivePod } from '../../../src/applications/shutdown/live-pod.ts';
import { planShutdown } from '../../../src/applications/shutdown/plan-shutdown.ts';
import { buildSituation, type Situation } from '../../../src/applications/situation.ts';
import {
  ANNOTATION_REQUEST,
  DEFAULT_SHUTDOWN,
  FINALIZER_SHUTDOWN,
  type CompleteAction,
} from '../../../src/contract/index.ts';
import { addWorkload, createWorld, liveOf, NAMESPACE } from './world.ts';

export const T0 = Date.parse('2026-01-01T00:00:00Z');

export interface Scene {
  now: number;
  namespaceState: 'enabled' | 'terminating';
  spec: ShutdownSpec;
  hooks: ('complete' | 'shutdown')[];
  completeAction: CompleteAction;
  status: ApplicationStatus;
  request: string | undefined;
  workloads: LiveWorkload[];
  pods: LivePod[];
  desired: Map<string, number>;
  calls: Map<string, CallState>;
  /** Pods whose removal the API server refuses. */
  refused: Set<string>;
  /** What was tried in this pass. */
  tried: Set<string>;
  /** What the plan has said, in order. */
  steps: Step[];
}

export function createScene(change: Partial<ShutdownSpec> = {}, podCount = 1): Scene {
  const workload = liveOf(addWorkload(createWorld(), { hooks: ['shutdown'] }));
  const spec = { ...DEFAULT_SHUTDOWN, causes: [...DEFAULT_SHUTDOWN.causes], ...change };
  return {
    now: T0,
    namespaceState: 'enabled',
    spec,
    hooks: ['shutdown'],
    completeAction: 'delete',
    status: {
      phase: 'Running',
      workloads: [workload.ref],
      signals: {},
      shutdown: { sequence: 0, going: {}, conversations: [] },
    },
    request: undefined,
    workloads: [{ ...workload, held: true, finalizers: [FINALIZER_SHUTDOWN] }],
    pods: Array.from({ length: podCount }, (_, index) => createPod(index, workload.ref.uid)),
    desired: new Map(),
    calls: new Map(),
    refused: new Set(),
    tried: new Set(),
    steps: [],
  };
}

export function createPod(
  index: number,
  rootUid: string | undefined,
  change: Partial<LivePod> = {},
): LivePod {
  return {
    uid: `pod-${index}`,
    name: `web-${index}`,
    deleting: false,
    started: true,
    finished: false,
    succeeded: false,
    createdAtMs: T0 - 60_000,
    address: `10.0.0.${index + 1}`,
    ports: {},
    rootUid,
    owner: undefined,
    ...change,
  };
}

export function situationOf(scene: Scene): Situation {
  const [asked] = scene.workloads;
  const app: Application = {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name: 'deployment-web',
      namespace: NAMESPACE,
      uid: 'app',
      generation: 1,
      labels: { 'app.kubernetes.io/managed-by': 'krake-hooks' },
      finalizers: [FINALIZER_SHUTDOWN],
      annotations: scene.request === undefined ? {} : { [ANNOTATION_REQUEST]: scene.request },
    },
    spec: {
      workloads: [],
      hooks: scene.hooks,
      completeAction: scene.completeAction,
      shutdown: scene.spec,
      completeWhen: 'any',
      auth: 'token',
    },
    status: scene.status,
  };
  const workloads = scene.workloads.map((workload) => ({
    ...workload,
    asked: asked?.asked && {
      ...asked.asked,
      hooks: scene.hooks,
      completeAction: scene.completeAction,
      shutdown: scene.spec,
    },
  }));
  return buildSituation(
    {
      namespace: NAMESPACE,
      name: 'deployment-web',
      namespaceState: scene.namespaceState,
      application: app,
      members: [],
      pods: [],
      live: undefined,
      tried: scene.tried,
      refused: new Map(
        [...scene.refused].filter((uid) => scene.tried.has(uid)).map((uid) => [uid, 'a budget']),
      ),
      caBundleSha256: '',
      issuerSha256: undefined,
      issuerNotAfter: undefined,
      calls: scene.calls,
    },
    app,
    {
      workloads,
      pods: scene.pods,
      desired: scene.desired,
      target: undefined,
      secret: {
        state: 'ours',
        uid: 's',
        resourceVersion: '1',
        tokenSha256: undefined,
        certificate: undefined,
        inOrder: true,
        deleting: false,
        held: true,
        finalizers: [],
      },
    },
    {
      now: scene.now,
      finishedTtlMs: 0,
      remainingMs: ({ deadline }) => Date.parse(deadline) - scene.now,
    },
  );
}

/** Plans and applies until there is nothing more to do; returns what was done this time. */
export function look(scene: Scene): Step[] {
  const before = scene.steps.length;
  scene.tried = new Set();
  for (let count = 0; count < 20; count++) {
    const step = planShutdown(situationOf(scene));
    if (step === undefined) return scene.steps.slice(before);
    scene.steps.push(asReported(scene, step));
    apply(scene, step);
  }
  throw new Error(`never rests: ${scene.steps.map((step) => step.do).join(', ')}`);
}

/** Of pods that were refused nothing is told. */
function asReported({ refused }: Scene, step: Step): Step {
  if (step.do !== 'remove-pods') return step;
  return { ...step, events: step.events.filter((_, index) => !refused.has(step.pods[index]?.uid ?? '')) };
}

function apply(scene: Scene, step: Step): void {
  switch (step.do) {
    case 'write-status':
      scene.status = step.status;
      return;
    case 'ask':
      scene.status = step.status;
      for (const { key } of step.calls) scene.calls.set(key, 'under-way');
      return;
    case 'release-workload':
      scene.workloads = scene.workloads.filter(({ ref }) => ref.uid !== step.workload.ref.uid);
      return;
    case 'move-workload':
      scene.workloads = scene.workloads.map((workload) => ({ ...workload, nodeSelector: step.nodeSelector }));
      return;
    case 'remove-pods': {
      const gone = new Set(step.pods.map(({ uid }) => uid));
      scene.pods = scene.pods.filter(({ uid }) => !gone.has(uid) || scene.refused.has(uid));
      scene.tried = new Set([...scene.tried, ...gone]);
      return;
    }
    case 'drop-request':
      scene.request = undefined;
      return;
    default:
      throw new Error(`the conversation has no step ${step.do}`);
  }
}

export function conversationsOf(scene: Scene): Conversation[] {
  return scene.status.shutdown?.conversations ?? [];
}

/** The only conversation there is. */
export function theConversation(scene: Scene): Conversation {
  const [first, ...others] = conversationsOf(scene);
  if (first === undefined || others.length > 0) throw new Error('one conversation was expected');
  return first;
}

/** All calls so far. */
export function callsOf(scene: Scene): PlannedCall[] {
  return scene.steps.flatMap((step) => (step.do === 'ask' ? step.calls : []));
}

export function eventsOf(scene: Scene): string[] {
  const told = (step: Step): readonly PlannedEvent[] => ('events' in step ? (step.events ?? []) : []);
  return scene.steps.flatMap(told).map(({ reason }) => reason);
}

/** The calls under way end so. */
export function answerCalls(scene: Scene, end: Exclude<CallState, 'under-way'>): void {
  for (const [key, state] of scene.calls) if (state === 'under-way') scene.calls.set(key, end);
}

export function confirm(scene: Scene, podUid?: string): void {
  const confirmation = { receivedAt: new Date(scene.now).toISOString(), provenBy: 'token' as const };
  const { shutdown } = scene.status;
  if (shutdown === undefined) throw new Error('the hook is off');
  const conversations = shutdown.conversations.map((conversation) =>
    podUid === undefined
      ? { ...conversation, confirmation }
      : {
          ...conversation,
          pods: conversation.pods.map((pod) => (pod.uid === podUid ? { ...pod, confirmation } : pod)),
        },
  );
  scene.status = { ...scene.status, shutdown: { ...shutdown, conversations } };
}

export function want(
  scene: Scene,
  podUid: string,
  cause: 'deletion' | 'eviction' | 'scale-down',
  atMs = 0,
  more: Pick<GoingPod, 'removal'> = {},
): void {
  const { shutdown } = scene.status;
  if (shutdown === undefined) throw new Error('the hook is off');
  const requestedAt = new Date(scene.now + atMs).toISOString();
  const going = { ...shutdown.going, [podUid]: { name: podUid, cause, ...more, requestedAt } };
  scene.status = { ...scene.status, shutdown: { ...shutdown, going } };
}

export function deleteWorkload(scene: Scene): void {
  scene.workloads = scene.workloads.map((workload) => ({
    ...workload,
    deleting: true,
    deletedAtMs: scene.now,
  }));
}
