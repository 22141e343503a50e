import { describe, expect, it } from '@jest/globals';
import { isFreeToGo } from '../../../src/applications/conversation.ts';
import {
  confirm,
  conversationsOf,
  createPod,
  createScene,
  deleteWorkload,
  eventsOf,
  look,
  theConversation,
  want,
} from './conversation-world.ts';

const POD_FORM = { service: 'pod:8080' };

describe('what a person asks for', () => {
  it.each([
    ['release', ['ShutdownReleased', 'RequestTaken'], 0],
    ['retry', ['RequestTaken'], 1],
    ['cancel', ['RequestRefused'], 1],
    ['dance', ['RequestRefused'], 1],
  ])('%s, while a workload is being deleted', (request, events, left) => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    scene.request = request;
    look(scene);
    expect(eventsOf(scene).slice(1)).toEqual(events);
    expect(scene.workloads).toHaveLength(left);
    expect(scene.request).toBeUndefined();
    expect(scene.status.shutdown?.handledRequest).toBeUndefined();
  });

  it.each([
    ['release', 'released', true],
    ['cancel', 'cancelled', false],
  ] as const)(
    '%s is meant for what waits behind a conversation of the service form, too',
    (request, outcome, isFree) => {
      const scene = createScene({}, 2);
      want(scene, 'pod-0', 'eviction');
      look(scene);
      want(scene, 'pod-1', 'eviction');
      look(scene);
      expect(conversationsOf(scene)).toHaveLength(1);
      scene.request = request;
      look(scene);
      expect(conversationsOf(scene).map((conversation) => conversation.outcome)).toEqual([outcome, outcome]);
      expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(isFree);
      expect(scene.status.shutdown?.going).toEqual({});
      // Of the second one nobody was asked.
      expect(scene.steps.filter((step) => step.do === 'ask')).toHaveLength(1);
    },
  );

  it('cancel: the pod stays, whoever evicts it again and again; until the deadline, or a person deletes it', () => {
    const scene = createScene(POD_FORM);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    scene.request = 'cancel';
    look(scene);
    expect(theConversation(scene).outcome).toBe('cancelled');
    expect(isFreeToGo(conversationsOf(scene), 'pod-0')).toBe(false);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    expect(conversationsOf(scene)).toHaveLength(1);
    expect(scene.status.shutdown?.going).toEqual({});
    want(scene, 'pod-0', 'deletion');
    look(scene);
    expect(conversationsOf(scene)).toHaveLength(2);
    scene.request = 'cancel';
    look(scene);
    scene.now += 60_000;
    look(scene);
    want(scene, 'pod-0', 'eviction');
    look(scene);
    expect(conversationsOf(scene)).toMatchObject([{ reason: 'eviction' }]);
  });

  it('migrate: the template first, then the pods; those that come back are not to go', () => {
    const scene = createScene(POD_FORM);
    scene.workloads = scene.workloads.map((workload) => ({
      ...workload,
      ref: { ...workload.ref, kind: 'StatefulSet' },
    }));
    scene.request = 'migrate:disk=ssd';
    look(scene);
    expect(theConversation(scene)).toMatchObject({ reason: 'requested', nodeSelector: { disk: 'ssd' } });
    confirm(scene, 'pod-0');
    expect(look(scene).map((step) => step.do)).toEqual(['write-status', 'move-workload', 'remove-pods']);
    expect(scene.status.phase).toBe('Migrating');
    scene.pods = [createPod(7, 'w1')];
    look(scene);
    expect(conversationsOf(scene)).toEqual([]);
    expect(scene.status.phase).toBe('Running');
    expect(eventsOf(scene)).toContain('Migrated');
  });
});
