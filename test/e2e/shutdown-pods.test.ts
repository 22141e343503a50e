import { describe, expect, it } from '@jest/globals';
import { expectGoodbyes, expectNobodyAsked, expectReason } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';

onNode('before single pods go they are asked to shut down', () => {
  const stage = createStage();

  describe.each([
    ['pod-delete', []],
    ['pod-force', ['--force', '--grace-period=0']],
  ])('%s', (name, flags) => {
    it.concurrent(
      'is refused, with the reason; the pod says goodbye, goes at once, and its successor goes on from its state',
      async () => {
        const scene = await stage.scene(name);
        const [pod = ''] = await scene.start({ service: 'shutdown' });
        const { code, stderr } = await scene.deletePod(pod, ...flags);
        expect(code).toBe(1);
        expect(stderr).toContain('deployment-counter');
        await scene.untilGone([pod]);
        const [saved] = await expectGoodbyes(scene, [pod]);
        await scene.untilReady('counter', 1, [pod]);
        // The successor was made when the old pod was let go: it found the state.
        const started = (await scene.journal()).findLast(({ event }) => event === 'started');
        expect(started?.count).toBe(saved?.count);
        await scene.untilNow(
          'deployment-counter',
          'Running again',
          ({ status }) => status?.phase === 'Running',
        );
      },
      STORY_TIMEOUT_MS,
    );
  });

  it.concurrent(
    'a bare Pod',
    async () => {
      const scene = await stage.scene('bare');
      const pods = await scene.start({ kind: 'Pod', service: 'shutdown' });
      await scene.deletePod('counter');
      await scene.untilGone(pods);
      await expectGoodbyes(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'rollout and scale-down without shutdown-on: nobody is asked',
    async () => {
      const scene = await stage.scene('not-asked');
      const before = await scene.start({ service: 'shutdown', replicas: 2 });
      await scene.kubectl(['rollout', 'restart', 'deployment/counter']);
      await scene.untilGone(before);
      const after = await scene.untilReady('counter', 2, before);
      await scene.kubectl(['scale', 'deployment/counter', '--replicas=0']);
      await scene.untilGone(after);
      await expectNobodyAsked(scene, [...before, ...after]);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'scale-down with shutdown-on: only the pods that go are asked',
    async () => {
      const scene = await stage.scene('scale-down');
      const pods = await scene.start({
        replicas: 3,
        annotations: { 'shutdown-service': 'pod:8080', 'shutdown-on': 'deletion,eviction,scale-down' },
      });
      await scene.kubectl(['scale', 'deployment/counter', '--replicas=1']);
      const gone = await scene.untilSomeGone(pods, 2);
      await expectGoodbyes(scene, gone);
      await expectReason(scene, gone, 'scale-down');
      await expectNobodyAsked(
        scene,
        pods.filter((pod) => !gone.includes(pod)),
      );
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'rollout with shutdown-on: each old pod says goodbye, no new one is asked',
    async () => {
      const scene = await stage.scene('rollout');
      const before = await scene.start({
        replicas: 2,
        annotations: { 'shutdown-service': 'pod:8080', 'shutdown-on': 'scale-down' },
      });
      await scene.kubectl(['rollout', 'restart', 'deployment/counter']);
      await scene.untilGone(before);
      const after = await scene.untilReady('counter', 2, before);
      await expectGoodbyes(scene, before);
      await expectNobodyAsked(scene, after);
    },
    STORY_TIMEOUT_MS,
  );
});
