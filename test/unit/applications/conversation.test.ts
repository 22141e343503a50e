import { describe, expect, it } from '@jest/globals';
import { isFreeToGo } from '../../../src/applications/conversation.ts';
import { planSwitchedOff } from '../../../src/applications/plan-endings.ts';
import { planUnheld } from '../../../src/applications/shutdown/plan-leaving.ts';
import { shutdownWakeUp } from '../../../src/applications/shutdown/plan-shutdown.ts';
import {
  answerCalls,
  callsOf,
  confirm,
  conversationsOf,
  createPod,
  createScene,
  deleteWorkload,
  eventsOf,
  look,
  situationOf,
  T0,
  theConversation,
  want,
} from './conversation-world.ts';

const POD_FORM = { service: 'pod:8080' };
const ACCEPTED = { accepted: true } as const;
const REFUSED = { accepted: false, error: 'connection refused' } as const;

describe('the conversation', () => {
  it('stores deadline and attempt in one write, and only then calls', () => {
    const scene = createScene();
    deleteWorkload(scene);
    const steps = look(scene);
    expect(steps.map((step) => step.do)).toEqual(['ask']);
    expect(theConversation(scene)).toMatchObject({
      id: 'app-1',
      scope: 'application',
      reason: 'deletion',
      deadline: '2026-01-01T00:01:00.000Z',
      round: 1,
      ask: { attempts: 1 },
    });
    expect(callsOf(scene)).toHaveLength(1);
    expect(look(scene)).toEqual([]);
  });

  it('lets the workload go at once when the goodbye comes, and not before', () => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    answerCalls(scene, ACCEPTED);
    look(scene);
    scene.now += 59_000;
    expect(look(scene)).toEqual([]);
    expect(scene.workloads).toHaveLength(1);
    confirm(scene);
    expect(look(scene).map((step) => step.do)).toEqual(['write-status', 'release-workload']);
    expect(theConversation(scene).outcome).toBe('confirmed');
    expect(eventsOf(scene)).toEqual(['ShutdownRequested', 'ShutdownAsked', 'ShutdownConfirmed']);
  });

  it('asks nobody where nobody has anything to save', () => {
    const scene = createScene({}, 2);
    scene.pods = [
      createPod(0, scene.workloads[0]?.ref.uid, { started: false }),
      createPod(1, 'x', { finished: true }),
    ];
    deleteWorkload(scene);
    expect(look(scene).map((step) => step.do)).toEqual(['release-workload']);
  });

  it('asks nobody before a deletion where that is not chosen', () => {
    const scene = createScene({ causes: ['eviction'] });
    deleteWorkload(scene);
    expect(look(scene).map((step) => step.do)).toEqual(['release-workload']);
  });

  it('counts another attempt when a process died while it called', () => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    scene.calls.clear();
    look(scene);
    expect(theConversation(scene).ask).toMatchObject({ attempts: 2 });
    expect(callsOf(scene).map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('waits longer after each failed attempt, with the same deadline', () => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    const { deadline } = theConversation(scene);
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 6; attempt++) {
      answerCalls(scene, REFUSED);
      look(scene);
      const next = Date.parse(theConversation(scene).ask?.nextAttemptAt ?? '');
      waits.push(next - scene.now);
      scene.now = next;
      look(scene);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(theConversation(scene)).toMatchObject({
      deadline,
      ask: { attempts: 7, lastError: 'connection refused' },
    });
  });

  it('has one round more for each retry, each with a deadline of its own; then it goes without', () => {
    const scene = createScene({ retries: 2, timeoutSeconds: 10 });
    deleteWorkload(scene);
    const deadlines: string[] = [];
    for (let round = 1; round <= 3; round++) {
      look(scene);
      deadlines.push(theConversation(scene).deadline);
      expect(theConversation(scene).round).toBe(round);
      scene.now += 10_000;
    }
    look(scene);
    expect(deadlines.map((deadline) => Date.parse(deadline) - T0)).toEqual([10_000, 20_000, 30_000]);
    expect(theConversation(scene).outcome).toBe('timed-out');
    expect(scene.workloads).toEqual([]);
  });

  it('is held beyond the deadline where that is asked for, and a goodbye is still heard', () => {
    const scene = createScene({ failure: 'give-up' });
    deleteWorkload(scene);
    look(scene);
    scene.now += 60_000;
    look(scene);
    expect(theConversation(scene)).toMatchObject({ givenUpAt: new Date(scene.now).toISOString() });
    expect(scene.status.phase).toBe('Degraded');
    scene.now += 86_400_000;
    expect(look(scene)).toEqual([]);
    confirm(scene);
    look(scene);
    expect(scene.workloads).toEqual([]);
  });

  it.each([
    ['all', 3],
    ['any', 1],
    ['2', 2],
    ['9', 3],
  ])('pod form, shutdown-when %s: ends with %d of 3 goodbyes', (when, needed) => {
    const scene = createScene({ ...POD_FORM, when }, 3);
    deleteWorkload(scene);
    look(scene);
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0', 'pod-1', 'pod-2']);
    for (let count = 0; count < needed; count++) {
      expect(scene.workloads).toHaveLength(1);
      confirm(scene, `pod-${count}`);
      look(scene);
    }
    expect(scene.workloads).toEqual([]);
  });

  it('does not wait for a pod that has gone by itself', () => {
    const scene = createScene(POD_FORM, 2);
    deleteWorkload(scene);
    look(scene);
    confirm(scene, 'pod-0');
    scene.pods = scene.pods.slice(0, 1);
    look(scene);
    expect(scene.workloads).toEqual([]);
  });

  it('is dropped with the hook, also while the workload is being deleted', () => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    const [asked] = scene.workloads;
    scene.workloads = scene.workloads.map((workload) => ({ ...workload, asked: undefined }));
    const s = situationOf(scene);
    expect(planSwitchedOff(s)).toMatchObject({ do: 'update-spec', spec: { hooks: [] } });
    expect(planUnheld(s)).toMatchObject({ do: 'release-workload', workload: { ref: asked?.ref } });
  });

  it('service form: one conversation after the other, those who wait together', () => {
    const scene = createScene({}, 4);
    want(scene, 'pod-0', 'deletion');
    look(scene);
    want(scene, 'pod-1', 'eviction');
    want(scene, 'pod-2', 'deletion');
    look(scene);
    expect(conversationsOf(scene)).toHaveLength(1);
    confirm(scene);
    look(scene);
    const open = conversationsOf(scene).filter(({ outcome }) => outcome === undefined);
    expect(open.map(({ pods }) => pods.map(({ uid }) => uid))).toEqual([['pod-1', 'pod-2']]);
    expect(callsOf(scene)).toHaveLength(2);
  });

  it('service form: who waits behind it stands in the condition, also behind one that was given up', () => {
    const scene = createScene({ failure: 'give-up' }, 6);
    const heldMessage = () => scene.status.conditions?.find(({ type }) => type === 'Held')?.message ?? '';
    want(scene, 'pod-0', 'eviction');
    look(scene);
    expect(heldMessage()).not.toContain('held behind');
    want(scene, 'pod-1', 'eviction');
    look(scene);
    expect(heldMessage()).toContain('to be asked when it is over: pod pod-1');
    expect(look(scene)).toEqual([]);
    scene.now += 60_000;
    for (const uid of ['pod-2', 'pod-3', 'pod-4', 'pod-5']) want(scene, uid, 'deletion');
    look(scene);
    expect(heldMessage()).toMatch(/a person|decide/);
    expect(heldMessage()).toContain('pods pod-1, pod-2, pod-3 and 2 more');
    confirm(scene);
    look(scene);
    expect(heldMessage()).not.toContain('held behind');
  });

  it('service form: is remembered for a minute, so that a repeated goodbye is known again', () => {
    const scene = createScene({ timeoutSeconds: 3_600 }, 2);
    want(scene, 'pod-0', 'deletion');
    look(scene);
    confirm(scene);
    look(scene);
    look(scene);
    expect(theConversation(scene)).toMatchObject({ outcome: 'confirmed', doneAt: expect.any(String) });
    expect(scene.status.phase).toBe('Running');
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + 60_000);
    scene.now += 60_000;
    look(scene);
    expect(conversationsOf(scene)).toEqual([]);
  });

  it('takes up no more pods of a ReplicaSet than it has too many', () => {
    const scene = createScene({ ...POD_FORM, causes: ['scale-down'] }, 3);
    const owner = { kind: 'ReplicaSet' as const, name: 'rs', uid: 'rs' };
    scene.pods = scene.pods.map((pod) => ({ ...pod, owner }));
    scene.desired = new Map([['rs', 1]]);
    want(scene, 'pod-2', 'scale-down', 0);
    want(scene, 'pod-0', 'scale-down', 5);
    want(scene, 'pod-1', 'scale-down', 9);
    look(scene);
    expect(conversationsOf(scene).map(({ pods }) => pods[0]?.uid)).toEqual(['pod-2', 'pod-0']);
    expect(scene.status.shutdown?.going).toEqual({});
    want(scene, 'pod-1', 'scale-down');
    look(scene);
    expect(conversationsOf(scene)).toHaveLength(2);
  });

  it.each([
    ['older than the goodbye', T0 - 1_000, 0],
    ['younger', T0 + 1_000, 1],
  ])('needs %s call for pods that are', (_title, createdAtMs, calls) => {
    const scene = createScene();
    scene.pods = scene.pods.map((pod) => ({ ...pod, createdAtMs }));
    scene.status = {
      ...scene.status,
      signals: { shutdown: { receivedAt: new Date(T0).toISOString(), provenBy: 'token' } },
    };
    scene.now += 5_000;
    deleteWorkload(scene);
    look(scene);
    expect(callsOf(scene)).toHaveLength(calls);
    expect(scene.workloads).toHaveLength(calls);
    expect(scene.status.signals?.shutdown).toBeUndefined();
  });

  it('is about all of it when the namespace goes', () => {
    const scene = createScene({}, 2);
    scene.namespaceState = 'terminating';
    look(scene);
    expect(theConversation(scene)).toMatchObject({
      scope: 'application',
      pods: [{ uid: 'pod-0' }, { uid: 'pod-1' }],
    });
  });

  it('asks nobody for pods that their owner has left to themselves', () => {
    const scene = createScene({}, 2);
    scene.pods = scene.pods.map((pod) => ({ ...pod, rootUid: 'replica-set' }));
    deleteWorkload(scene);
    expect(look(scene)).toEqual([]);
    expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + 30_000);
    scene.now += 30_000;
    expect(look(scene).map((step) => step.do)).toEqual(['release-workload']);
  });
});
