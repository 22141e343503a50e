import { describe, expect, it } from '@jest/globals';
import { isFreeToGo } from '../../../src/applications/conversation.ts';
import { shutdownWakeUp } from '../../../src/applications/shutdown/plan-shutdown.ts';
import {
  callsOf,
  confirm,
  conversationsOf,
  createPod,
  createScene,
  deleteWorkload,
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
});
