import { describe, expect, it } from '@jest/globals';
import type { Signal } from '../../../src/applications/application.ts';
import {
  callsOf,
  conversationsOf,
  createPod,
  createScene,
  deleteWorkload,
  look,
  T0,
  theConversation,
  want,
  type Scene,
} from './conversation-world.ts';

const POD_FORM = { service: 'pod:8080' };
const RECEIVED = new Date(T0).toISOString();
const byToken: Signal = { receivedAt: RECEIVED, provenBy: 'token' };
const byPod = (index: number): Signal => ({
  receivedAt: RECEIVED,
  provenBy: 'pod-identity',
  pod: { name: `web-${index}`, uid: `pod-${index}` },
});

/** Two pods in the network of their node have one address. */
function neighbours(shutdownFrom: Readonly<Record<string, Signal>>): Scene {
  const scene = createScene(POD_FORM, 2);
  scene.pods = scene.pods.map((pod) => ({ ...pod, address: '10.9.9.9' }));
  scene.status = { ...scene.status, signals: { shutdownFrom: { ...shutdownFrom } } };
  return scene;
}

/** The pods whose goodbye is there, and how it was proven. */
const saidBy = (scene: Scene) =>
  conversationsOf(scene).flatMap(({ pods }) =>
    pods.flatMap(({ uid, confirmation }) => (confirmation === undefined ? [] : [uid])),
  );

describe('a goodbye that nobody has asked for, of a proven pod', () => {
  it('service form: says of which pod it was', () => {
    const scene = createScene();
    scene.status = { ...scene.status, signals: { shutdown: byPod(0) } };
    deleteWorkload(scene);
    look(scene);
    expect(theConversation(scene)).toMatchObject({ outcome: 'voluntary', confirmation: byPod(0) });
  });

  it('pod form: is that of the pod with this UID, and says so', () => {
    const scene = createScene(POD_FORM, 2);
    scene.status = { ...scene.status, signals: { shutdownFrom: { 'pod-1': byPod(1) } } };
    deleteWorkload(scene);
    look(scene);
    expect(saidBy(scene)).toEqual(['pod-1']);
    expect(theConversation(scene).pods[1]?.confirmation).toEqual(byPod(1));
    expect(scene.status.signals?.shutdownFrom).toBeUndefined();
  });

  it.each([
    ['kept by its UID', { 'pod-1': byPod(1) }],
    ['kept by the address, as an older version did', { '10.9.9.9': byPod(1) }],
  ])('pod form: not that of another pod with its address (%s)', (_how, shutdownFrom) => {
    const scene = neighbours(shutdownFrom);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    expect(saidBy(scene)).toEqual([]);
    expect(theConversation(scene).outcome).toBeUndefined();
    // The other one's is still there, for when it is its turn.
    want(scene, 'pod-1', 'eviction');
    look(scene);
    expect(scene.pods.map(({ uid }) => uid)).toEqual(['pod-0']);
    expect(scene.status.signals?.shutdownFrom).toBeUndefined();
  });

  it('pod form: of two neighbours each has its own', () => {
    const scene = neighbours({ 'pod-0': byPod(0), 'pod-1': byPod(1) });
    deleteWorkload(scene);
    look(scene);
    expect(theConversation(scene)).toMatchObject({
      outcome: 'voluntary',
      pods: [{ confirmation: byPod(0) }, { confirmation: byPod(1) }],
    });
  });

  it('pod form: also that of a pod which joins a conversation that goes on', () => {
    const scene = createScene(POD_FORM, 1);
    deleteWorkload(scene);
    look(scene);
    const [workload] = scene.workloads;
    scene.pods = [...scene.pods, createPod(1, workload?.ref.uid)];
    scene.status = { ...scene.status, signals: { shutdownFrom: { 'pod-1': byPod(1) } } };
    look(scene);
    expect(theConversation(scene).pods.map(({ uid }) => uid)).toEqual(['pod-0', 'pod-1']);
    expect(saidBy(scene)).toEqual(['pod-1']);
    expect(callsOf(scene).map(({ pod }) => pod?.uid)).toEqual(['pod-0']);
  });

  it('pod form: not spent for a pod that one conversation has no room for', () => {
    const scene = createScene(POD_FORM, 2_001);
    const last = { 'pod-2000': byPod(2_000) };
    scene.status = { ...scene.status, signals: { shutdownFrom: last } };
    deleteWorkload(scene);
    look(scene);
    expect(conversationsOf(scene).map(({ pods, outcome }) => [pods.length, outcome])).toEqual([
      [2_000, undefined],
      [1, 'voluntary'],
    ]);
  });

  it('pod form: those of pods that are gone take no room for ever', () => {
    const scene = createScene(POD_FORM, 2);
    const kept = { 'pod-1': byPod(1) };
    scene.status = { ...scene.status, signals: { shutdownFrom: { ...kept, 'pod-7': byPod(7) } } };
    want(scene, 'pod-0', 'eviction');
    look(scene);
    expect(scene.status.signals?.shutdownFrom).toEqual(kept);
  });

  it('pod form: not one that was said before the pod was there', () => {
    const scene = createScene(POD_FORM, 1);
    scene.pods = scene.pods.map((pod) => ({ ...pod, createdAtMs: T0 + 1_000 }));
    scene.status = { ...scene.status, signals: { shutdownFrom: { 'pod-0': byPod(0) } } };
    deleteWorkload(scene);
    look(scene);
    expect(saidBy(scene)).toEqual([]);
  });
});

describe('one that only its address tells of', () => {
  it('is that of the pod with the address', () => {
    const scene = createScene(POD_FORM, 2);
    scene.status = { ...scene.status, signals: { shutdownFrom: { '10.0.0.2': byToken } } };
    deleteWorkload(scene);
    look(scene);
    expect(saidBy(scene)).toEqual(['pod-1']);
    expect(theConversation(scene).pods[1]?.confirmation).toEqual(byToken);
    expect(scene.status.signals?.shutdownFrom).toBeUndefined();
  });

  it("is nobody's where several pods have that address: both are asked", () => {
    const scene = neighbours({ '10.9.9.9': byToken });
    deleteWorkload(scene);
    look(scene);
    expect(saidBy(scene)).toEqual([]);
    expect(theConversation(scene).outcome).toBeUndefined();
  });

  it('is not lost to a pod that has ended, whose status keeps the address', () => {
    const scene = createScene(POD_FORM, 1);
    const [workload] = scene.workloads;
    const ended = { address: '10.0.0.1', finished: true };
    scene.pods = [...scene.pods, createPod(1, workload?.ref.uid, ended)];
    scene.status = { ...scene.status, signals: { shutdownFrom: { '10.0.0.1': byToken } } };
    deleteWorkload(scene);
    look(scene);
    expect(saidBy(scene)).toEqual(['pod-0']);
  });
});
