import { describe, expect, it } from '@jest/globals';
import type { ApplicationView, Step } from '../../../src/applications/application-view.ts';
import { planApplication } from '../../../src/applications/plan-application.ts';
import type { Situation } from '../../../src/applications/situation.ts';
import { createScene, look, situationOf, want, type Scene } from './conversation-world.ts';
import { NAMESPACE } from './world.ts';

/** The plan's next step; the Application changed as given, and what the watch caches have. */
function planOf(
  scene: Scene,
  change: (app: Situation['app']) => Situation['app'],
  cached: Partial<ApplicationView> = {},
): Step {
  const s = situationOf(scene);
  return planApplication({ ...s.view, ...cached, application: change(s.app), live: s.live }, s);
}

const cachedPods = (scene: Scene): ApplicationView['pods'] =>
  scene.pods.map(({ uid, name, createdAtMs, deleting }) => ({
    ...{ uid, name, createdAtMs, deleting },
    namespace: NAMESPACE,
    application: 'deployment-web',
    ownerKind: undefined,
    ownerName: undefined,
    self: undefined,
  }));

describe('an application whose namespace goes', () => {
  it.each(['1', 'all'])(
    'counts who is complete (complete-when %s), and that ends it well',
    (completeWhen) => {
      const scene = createScene({}, 1);
      scene.hooks = ['complete', 'shutdown'];
      scene.namespaceState = 'terminating';
      look(scene);
      const said = { receivedAt: new Date(scene.now).toISOString(), provenBy: 'pod-identity' as const };
      scene.status = { ...scene.status, signals: { completeFrom: { 'pod-0': said } } };
      const step = planOf(scene, (app) => ({ ...app, spec: { ...app.spec, completeWhen } }));
      expect(step).toMatchObject({ do: 'store-complete', status: { signals: { complete: said } } });
      if (step.do === 'store-complete') scene.status = step.status;
      look(scene);
      expect(scene.status.shutdown?.conversations).toMatchObject([{ outcome: 'completed' }]);
    },
  );

  const withoutFinalizer = (app: Situation['app']) => ({
    ...app,
    metadata: { ...app.metadata, finalizers: ['example.com/other'] },
  });

  it('is asked also without its finalizer, as long as the gate holds its pods', () => {
    const scene = createScene();
    scene.namespaceState = 'terminating';
    const step = planOf(scene, withoutFinalizer, { pods: cachedPods(scene) });
    expect(step).toMatchObject({ do: 'ask', calls: [{ pod: undefined, attempt: 1 }] });
  });

  it.each<[string, (scene: Scene) => void]>([
    ['a conversation', (scene) => void look(scene)],
    ['a pod that waits for one', (scene) => want(scene, 'pod-0', 'deletion')],
  ])('hears a person also without its finalizer and without a pod in the cache: %s', (_what, before) => {
    const scene = createScene();
    scene.namespaceState = 'terminating';
    before(scene);
    scene.request = 'release';
    const step = planOf(scene, withoutFinalizer);
    expect(['write-status', 'ask']).toContain(step.do);
    expect(step).toMatchObject({ status: { shutdown: { handledRequest: 'release' } } });
  });

  it('is left alone when nothing of it is left, or its hook is off', () => {
    const scene = createScene({}, 0);
    scene.namespaceState = 'terminating';
    expect(planOf(scene, withoutFinalizer)).toEqual({ do: 'rest' });
    const off = createScene();
    off.namespaceState = 'terminating';
    const pods = cachedPods(off);
    const step = planOf(
      off,
      (app) => ({ ...withoutFinalizer(app), spec: { ...app.spec, hooks: ['complete'] } }),
      { pods },
    );
    expect(step).toEqual({ do: 'rest' });
  });
});
