import { describe, expect, it } from '@jest/globals';
import { isEvicted, isFreeToGo } from '../../../src/applications/conversation.ts';
import { shutdownWakeUp, wantedCalls } from '../../../src/applications/shutdown/plan-shutdown.ts';
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
  theConversation,
  want,
} from './conversation-world.ts';

const POD_FORM = { service: 'pod:8080' };

describe('the pod form, in which each pod says goodbye for itself,', () => {
  it('a pod that starts meanwhile is asked too, once, and its goodbye is awaited', () => {
    const scene = createScene(POD_FORM, 2);
    const [first, late] = scene.pods;
    if (first === undefined || late === undefined) throw new Error('two pods were expected');
    scene.pods = [first, { ...late, started: false }];
    deleteWorkload(scene);
    look(scene);
    expect(theConversation(scene)).toMatchObject({ needed: 1, pods: [{ uid: 'pod-0' }] });
    scene.pods = [first, late];
    look(scene);
    expect(theConversation(scene)).toMatchObject({
      needed: 2,
      pods: [{ uid: 'pod-0' }, { uid: 'pod-1' }],
      deadline: '2026-01-01T00:01:00.000Z',
    });
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0', 'pod-1']);
    confirm(scene, 'pod-0');
    look(scene);
    expect(isFreeToGo(conversationsOf(scene), 'pod-0')).toBe(false);
    expect(scene.workloads).toHaveLength(1);
    confirm(scene, 'pod-1');
    look(scene);
    expect(scene.workloads).toEqual([]);
  });

  it('is looked at every few seconds while a pod has not started that would be asked, and no longer', () => {
    const scene = createScene(POD_FORM, 2);
    const [first, late] = scene.pods;
    if (first === undefined || late === undefined) throw new Error('two pods were expected');
    scene.pods = [first, { ...late, started: false }];
    deleteWorkload(scene);
    look(scene);
    answerCalls(scene, { accepted: true });
    look(scene);
    const wakeUp = () => (shutdownWakeUp(situationOf(scene)) ?? 0) - scene.now;
    expect(wakeUp()).toBe(5_500);
    scene.now += 5_500;
    scene.pods = [first, late];
    look(scene);
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0', 'pod-1']);
    answerCalls(scene, { accepted: true });
    look(scene);
    expect(wakeUp()).toBe(54_500);
  });

  it('the call of a pod that has said goodbye is of no interest any more, answered or not', () => {
    const scene = createScene(POD_FORM, 2);
    deleteWorkload(scene);
    look(scene);
    expect(wantedCalls(scene.status.shutdown).size).toBe(2);
    confirm(scene, 'pod-0');
    look(scene);
    expect([...wantedCalls(scene.status.shutdown)]).toEqual([expect.stringContaining('pod-1')]);
  });

  it('one that starts with the deadline goes with the others: the deadline is that of all', () => {
    const scene = createScene(POD_FORM, 2);
    const [first, late] = scene.pods;
    if (first === undefined || late === undefined) throw new Error('two pods were expected');
    scene.pods = [first, { ...late, started: false }];
    deleteWorkload(scene);
    look(scene);
    scene.now += 60_000;
    scene.pods = [first, late];
    look(scene);
    expect(theConversation(scene)).toMatchObject({ outcome: 'timed-out', round: 1 });
    expect(scene.workloads).toEqual([]);
  });

  it.each<[string, Parameters<typeof createScene>[0]]>([
    ['a service is asked', {}],
    ['it was given up', { ...POD_FORM, failure: 'give-up' }],
  ])('is not looked at for a pod that starts when %s', (_when, spec) => {
    const scene = createScene(spec, 2);
    scene.pods = scene.pods.map((pod, index) => ({ ...pod, started: index === 0 }));
    deleteWorkload(scene);
    look(scene);
    answerCalls(scene, { accepted: true });
    look(scene);
    if (spec?.failure === 'give-up') scene.now += 60_000;
    look(scene);
    const wakeUp = shutdownWakeUp(situationOf(scene));
    expect(wakeUp).toBe(spec?.failure === 'give-up' ? undefined : scene.now + 60_000);
  });

  it('a pod that starts after the goodbyes is asked by itself', () => {
    const scene = createScene(POD_FORM, 1);
    deleteWorkload(scene);
    look(scene);
    confirm(scene, 'pod-0');
    scene.pods = [...scene.pods, createPod(1, scene.workloads[0]?.ref.uid)];
    look(scene);
    expect(isFreeToGo(conversationsOf(scene), 'pod-0')).toBe(true);
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    expect(scene.workloads).toHaveLength(1);
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0', 'pod-1']);
  });

  it('the successor of a pod that dies meanwhile is waited for', () => {
    const scene = createScene(POD_FORM, 1);
    deleteWorkload(scene);
    look(scene);
    scene.pods = [createPod(1, scene.workloads[0]?.ref.uid)];
    look(scene);
    expect(theConversation(scene).outcome).toBeUndefined();
    expect(scene.workloads).toHaveLength(1);
  });

  it('who is asked already, or has said goodbye, is not asked again when all of it goes', () => {
    const scene = createScene(POD_FORM, 3);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    confirm(scene, 'pod-0');
    // By a budget.
    scene.refused.add('pod-0');
    look(scene);
    want(scene, 'pod-1', 'eviction');
    look(scene);
    deleteWorkload(scene);
    look(scene);
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0', 'pod-1', 'pod-2']);
    confirm(scene, 'pod-2');
    look(scene);
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    expect(scene.workloads).toHaveLength(1);
  });

  it('a pod that has gone without a goodbye is not one of the number that is needed', () => {
    const scene = createScene({ ...POD_FORM, when: '2' }, 3);
    deleteWorkload(scene);
    look(scene);
    confirm(scene, 'pod-0');
    scene.pods = scene.pods.filter(({ uid }) => uid !== 'pod-1');
    look(scene);
    expect(theConversation(scene).outcome).toBeUndefined();
    confirm(scene, 'pod-2');
    look(scene);
    expect(theConversation(scene).outcome).toBe('confirmed');
  });

  it('more pods than one conversation takes begin the next', () => {
    const scene = createScene(POD_FORM, 2_100);
    deleteWorkload(scene);
    look(scene);
    expect(conversationsOf(scene).map(({ pods }) => pods.length)).toEqual([2_000, 100]);
  });

  it('pods that are to go are asked each for itself, the others are left alone', () => {
    const scene = createScene(POD_FORM, 3);
    want(scene, 'pod-0', 'eviction');
    want(scene, 'pod-1', 'deletion');
    look(scene);
    expect(conversationsOf(scene).map(({ pods, reason }) => [pods[0]?.uid, reason])).toEqual([
      ['pod-0', 'eviction'],
      ['pod-1', 'deletion'],
    ]);
    confirm(scene, 'pod-0');
    const [, removal] = look(scene);
    expect(removal).toMatchObject({ do: 'remove-pods', pods: [{ uid: 'pod-0', cause: 'eviction' }] });
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    expect(isFreeToGo(conversationsOf(scene), 'pod-2')).toBe(false);
  });

  it.each(['before', 'while'])(
    'a deletion that is called an eviction is carried out as a deletion; it came %s it is asked',
    (when) => {
      const scene = createScene(POD_FORM, 2);
      want(scene, 'pod-1', 'eviction');
      if (when === 'while') {
        want(scene, 'pod-0', 'eviction');
        look(scene);
      }
      want(scene, 'pod-0', 'eviction', 0, { removal: 'delete' });
      look(scene);
      expect(scene.status.shutdown?.going).toEqual({});
      for (const uid of ['pod-0', 'pod-1']) confirm(scene, uid);
      const removal = look(scene).find((step) => step.do === 'remove-pods');
      const evicted = removal?.pods.filter(isEvicted).map(({ uid }) => uid);
      expect(removal?.pods).toHaveLength(2);
      expect(evicted).toEqual(['pod-1']);
    },
  );

  it('a removal that is refused is tried again by itself', () => {
    const scene = createScene(POD_FORM, 1);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    confirm(scene, 'pod-0');
    scene.refused.add('pod-0');
    look(scene);
    expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + 5_000);
    scene.refused.clear();
    scene.now += 5_000;
    expect(look(scene).map((step) => step.do)).toEqual(['remove-pods', 'write-status']);
    expect(shutdownWakeUp(situationOf(scene))).toBeUndefined();
  });

  it('a refusal is said once, by an Event and as long as it lasts by the condition; nothing is told of what has not happened', () => {
    const scene = createScene({}, 2);
    want(scene, 'pod-0', 'eviction');
    want(scene, 'pod-1', 'eviction');
    look(scene);
    confirm(scene);
    scene.refused.add('pod-1');
    for (let times = 0; times < 3; times++) {
      look(scene);
      scene.now += 5_000;
    }
    const told = eventsOf(scene).filter((reason) => reason.startsWith('PodRem'));
    expect(told).toEqual(['PodRemoved', 'PodRemovalRefused']);
    const condition = () => scene.status.conditions?.find(({ type }) => type === 'Held');
    expect(condition()).toMatchObject({ status: 'False', reason: 'RemovalRefused' });
    expect(condition()?.message).toContain('the eviction of pod web-1 is refused (a budget)');
    expect(condition()?.message).toContain('krake-hooks cancel');
    scene.refused.clear();
    look(scene);
    expect(eventsOf(scene).at(-1)).toBe('PodRemoved');
    expect(condition()).toMatchObject({ status: 'False', reason: 'NotHeld' });
  });
});
