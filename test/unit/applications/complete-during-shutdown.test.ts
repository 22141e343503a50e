import { describe, expect, it } from '@jest/globals';
import { isFreeToGo } from '../../../src/applications/conversation.ts';
import type { CompleteAction } from '../../../src/contract/index.ts';
import {
  callsOf,
  confirm,
  conversationsOf,
  createPod,
  createScene,
  deleteWorkload,
  look,
  theConversation,
  want,
  type Scene,
} from './conversation-world.ts';

function createCompleting(completeAction: CompleteAction, ...args: Parameters<typeof createScene>): Scene {
  return Object.assign(createScene(...args), { hooks: ['complete', 'shutdown'], completeAction });
}

function complete(scene: Scene): void {
  const signal = { receivedAt: new Date(scene.now).toISOString(), provenBy: 'token' as const };
  scene.status = { ...scene.status, signals: { ...scene.status.signals, complete: signal } };
}

/** A pod that has come after everything so far. */
function addLatePod(scene: Scene, index: number): void {
  const late = createPod(index, scene.workloads[0]?.ref.uid, { createdAtMs: scene.now + 1_000 });
  scene.pods = [...scene.pods, late];
  scene.now += 2_000;
}

const outcomes = (scene: Scene) => conversationsOf(scene).map(({ outcome = 'open' }) => outcome);

describe('the complete signal ends a conversation, whatever the action is', () => {
  it.each<[CompleteAction, string]>([
    ['delete', 'pod:8080'],
    ['scale-to-zero', 'shutdown'],
    ['none', 'pod:8080'],
    ['none', 'shutdown'],
  ])('%s, %s: the workload goes at once', (action, service) => {
    const scene = createCompleting(action, { service }, 2);
    deleteWorkload(scene);
    look(scene);
    complete(scene);
    look(scene);
    expect(theConversation(scene).outcome).toBe('completed');
    expect(scene.workloads).toEqual([]);
  });

  it('none, said before anybody asked: nobody is asked', () => {
    const scene = createCompleting('none', {}, 2);
    complete(scene);
    deleteWorkload(scene);
    look(scene);
    expect(outcomes(scene)).toEqual(['completed']);
    expect(callsOf(scene)).toEqual([]);
    expect(scene.workloads).toEqual([]);
  });

  it('none: what waits behind the conversation goes too', () => {
    const scene = createCompleting('none', {}, 3);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    want(scene, 'pod-1', 'eviction');
    look(scene);
    complete(scene);
    look(scene);
    expect(outcomes(scene)).toEqual(['completed', 'completed']);
    expect(scene.pods.map(({ uid }) => uid)).toEqual(['pod-2']);
  });
});

describe('with the action none pods that came after the signal have not said it', () => {
  it.each(['pod:8080', 'shutdown'])('%s: they are asked, the others are not', (service) => {
    const scene = createCompleting('none', { service }, 1);
    complete(scene);
    addLatePod(scene, 1);
    want(scene, 'pod-1', 'eviction');
    look(scene);
    expect(outcomes(scene)).toEqual(['open']);
    expect(callsOf(scene)).toHaveLength(1);
    expect(scene.pods).toHaveLength(2);
  });

  it.each(['pod:8080', 'shutdown'])('%s: while the workload goes, too', (service) => {
    const scene = createCompleting('none', { service }, 1);
    deleteWorkload(scene);
    look(scene);
    complete(scene);
    addLatePod(scene, 1);
    look(scene);
    expect(scene.workloads).toHaveLength(1);
    expect(callsOf(scene).at(-1)?.conversation).toMatchObject({ reason: 'deletion' });
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    confirm(scene);
    confirm(scene, 'pod-1');
    look(scene);
    expect(scene.workloads).toEqual([]);
  });

  it('the application stays completed when one of them has gone', () => {
    const scene = createCompleting('none', {}, 1);
    complete(scene);
    scene.status = { ...scene.status, phase: 'Completed', finishedAt: new Date(scene.now).toISOString() };
    addLatePod(scene, 1);
    want(scene, 'pod-1', 'deletion');
    look(scene);
    expect(scene.status.phase).toBe('WaitingForCleaning');
    scene.now += 60_000;
    look(scene);
    expect(scene.pods.map(({ uid }) => uid)).toEqual(['pod-0']);
    expect(scene.status.phase).toBe('Completed');
  });
});
