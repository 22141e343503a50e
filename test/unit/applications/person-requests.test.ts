import { describe, expect, it } from '@jest/globals';
import { isFreeToGo, isHolding } from '../../../src/applications/conversation.ts';
import { shutdownWakeUp } from '../../../src/applications/shutdown/plan-shutdown.ts';
import {
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

  it('one that is cut within a character is stored as the API server gives it back', () => {
    const scene = createScene();
    deleteWorkload(scene);
    look(scene);
    scene.request = `${'x'.repeat(511)}\u{1f419}`;
    look(scene);
    const stored = scene.steps.flatMap((step) =>
      'status' in step ? [step.status.shutdown?.handledRequest] : [],
    );
    expect(stored).toContain(`${'x'.repeat(511)}\ufffd`);
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
    expect(conversationsOf(scene)).toMatchObject([
      { outcome: 'cancelled', doneAt: expect.any(String) },
      { outcome: 'cancelled', doneAt: expect.any(String) },
      { reason: 'eviction', pods: [{ uid: 'pod-0' }] },
    ]);
    expect(conversationsOf(scene)[2]?.outcome).toBeUndefined();
  });

  it('cancel: a pod stays whose goodbye was said and whose removal is refused, and may say goodbye anew', () => {
    const scene = createScene({}, 2);
    want(scene, 'pod-0', 'eviction');
    want(scene, 'pod-1', 'eviction');
    look(scene);
    confirm(scene);
    scene.refused.add('pod-1');
    look(scene);
    scene.request = 'cancel';
    const steps = look(scene);
    expect(eventsOf(scene).slice(-2)).toEqual(['ShutdownCancelled', 'RequestTaken']);
    expect(steps.map((step) => step.do)).not.toContain('remove-pods');
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(false);
    expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + 60_000);
    scene.now += 60_000;
    look(scene);
    want(scene, 'pod-1', 'eviction');
    look(scene);
    expect(theConversation(scene).pods.map(({ uid }) => uid)).toEqual(['pod-1']);
    expect(isHolding(theConversation(scene))).toBe(true);
  });

  it('cancel: the deadline of what was said goodbye has passed long ago', () => {
    const scene = createScene();
    want(scene, 'pod-0', 'eviction');
    look(scene);
    confirm(scene);
    scene.refused.add('pod-0');
    look(scene);
    scene.now += 3_600_000;
    scene.request = 'cancel';
    look(scene);
    expect(conversationsOf(scene)).toEqual([]);
    expect(scene.status.conditions?.find(({ type }) => type === 'Held')?.reason).toBe('NotHeld');
    expect(look(scene)).toEqual([]);
  });

  it.each([true, false])('cancel: not what goes with its workload, which is gone: %s', (isGone) => {
    const scene = createScene({}, 2);
    deleteWorkload(scene);
    look(scene);
    confirm(scene);
    // Held by somebody else.
    if (!isGone) scene.workloads = scene.workloads.map((workload) => ({ ...workload, held: false }));
    look(scene);
    expect(scene.workloads).toHaveLength(isGone ? 0 : 1);
    scene.request = 'cancel';
    look(scene);
    expect(eventsOf(scene).at(-1)).toBe('RequestRefused');
    expect(isFreeToGo(conversationsOf(scene), 'pod-1')).toBe(true);
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
    expect(look(scene).map((step) => step.do)).toEqual([
      'write-status',
      'move-workload',
      'write-status',
      'remove-pods',
    ]);
    expect(scene.status.phase).toBe('Migrating');
    scene.pods = [createPod(7, 'w1')];
    look(scene);
    expect(conversationsOf(scene)).toEqual([]);
    expect(scene.status.phase).toBe('Running');
    expect(eventsOf(scene)).toContain('Migrated');
  });

  describe('a migration to where no node is', () => {
    const begun = (kind: 'Deployment' | 'StatefulSet') => {
      const scene = createScene();
      scene.workloads = scene.workloads.map((workload) => ({ ...workload, ref: { ...workload.ref, kind } }));
      scene.request = 'migrate:zone=typo';
      look(scene);
      confirm(scene);
      look(scene);
      // The successor finds no node; a Deployment keeps the former pod until it does.
      scene.pods = [...scene.pods, createPod(9, 'w1', { started: false })];
      look(scene);
      expect(scene.pods.map(({ uid }) => uid)).toEqual(
        kind === 'Deployment' ? ['pod-0', 'pod-9'] : ['pod-9'],
      );
      expect(scene.status.phase).toBe('Migrating');
      return scene;
    };
    const selectorOf = (scene: ReturnType<typeof begun>) => scene.workloads[0]?.nodeSelector;
    const takeOut = (scene: ReturnType<typeof begun>) => {
      scene.workloads = scene.workloads.map((workload) => ({ ...workload, nodeSelector: {} }));
    };

    it('is looked at again soon: that a pod runs at last is in no watch', () => {
      const scene = begun('StatefulSet');
      expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + 2_000);
    });

    it('what a person takes out of the template stays out', () => {
      const scene = begun('Deployment');
      expect(selectorOf(scene)).toEqual({ zone: 'typo' });
      takeOut(scene);
      expect(look(scene)).toEqual([]);
      expect(selectorOf(scene)).toEqual({});
    });

    it.each(['Deployment', 'StatefulSet'] as const)('cancel ends it: %s', (kind) => {
      const scene = begun(kind);
      scene.request = 'cancel';
      look(scene);
      expect(eventsOf(scene).slice(-2)).toEqual(['MigrationCancelled', 'RequestTaken']);
      expect(scene.status.phase).toBe('Running');
      expect(isFreeToGo(conversationsOf(scene), 'pod-0')).toBe(false);
      takeOut(scene);
      scene.now += 60_000;
      look(scene);
      expect(conversationsOf(scene)).toEqual([]);
      expect(selectorOf(scene)).toEqual({});
    });

    it('of a Deployment a newer one counts: it is asked again, and moved after its goodbye', () => {
      const scene = begun('Deployment');
      scene.request = 'migrate:zone=b';
      look(scene);
      expect(conversationsOf(scene).map(({ outcome }) => outcome)).toEqual(['cancelled', undefined]);
      expect(selectorOf(scene)).toEqual({ zone: 'typo' });
      confirm(scene);
      look(scene);
      expect(selectorOf(scene)).toEqual({ zone: 'b' });
      scene.pods = [createPod(10, 'w1')];
      look(scene);
      expect(eventsOf(scene).at(-1)).toBe('Migrated');
      expect(scene.status.phase).toBe('Running');
    });

    it('of one without any pods a newer one ends for want of pods, and not as complete', () => {
      const scene = begun('StatefulSet');
      scene.pods = [];
      scene.request = 'migrate:zone=b';
      look(scene);
      expect(conversationsOf(scene).at(-1)?.outcome).toBe('pods-gone');
    });

    it('of a StatefulSet a newer one counts at once, since nobody is left to ask; pods that wait go', () => {
      const scene = begun('StatefulSet');
      scene.request = 'migrate:zone=b';
      look(scene);
      expect(selectorOf(scene)).toEqual({ zone: 'b' });
      expect(scene.pods).toEqual([]);
      scene.pods = [createPod(10, 'w1')];
      look(scene);
      expect(scene.status.phase).toBe('Running');
    });
  });
});
