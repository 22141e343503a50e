import { describe, expect, it } from '@jest/globals';
import { expectGoodbyes, expectReason } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';

onNode('an application is moved', () => {
  const stage = createStage();

  describe.each([
    ['wherever the scheduler likes', 'move', 'migrate', undefined],
    ['to nodes with a label', 'move-to', 'migrate:hooks-e2e/zone=b', { 'hooks-e2e/zone': 'b' }],
  ])('%s', (_, name, request, nodeSelector) => {
    it.concurrent(
      'says goodbye, comes back with its state, and is the same application',
      async () => {
        const scene = await stage.scene(name);
        await scene.cluster.kubectl(['label', 'nodes', '--all', '--overwrite', 'hooks-e2e/zone=b']);
        const before = await scene.start({ service: 'shutdown' });
        const running = await scene.untilApplication('deployment-counter', 'Running', ({ status }) => {
          return status?.phase === 'Running';
        });
        await scene.kubectl([
          'annotate',
          'application',
          'deployment-counter',
          `hooks.krake.dev/request=${request}`,
        ]);
        await scene.untilGone(before);
        const [saved] = await expectGoodbyes(scene, before);
        await expectReason(scene, before, 'requested');
        const [after = ''] = await scene.untilReady('counter', 1, before);
        const moved = await scene.untilNow('deployment-counter', 'Running again', ({ status }) => {
          return (
            status?.phase === 'Running' &&
            status.shutdown?.conversations.every(({ doneAt }) => doneAt !== undefined) === true
          );
        });
        expect(moved.metadata.uid).toBe(running.metadata.uid);
        expect(moved.status?.tokenSha256).toBe(running.status?.tokenSha256);
        expect(moved.status?.certificates).toEqual(running.status?.certificates);
        const phases = scene.applications.map(({ object }) => object.status?.phase);
        expect(phases.filter((phase, i) => phase !== phases[i - 1]).slice(-2)).toEqual([
          'Migrating',
          'Running',
        ]);
        expect((await scene.journal()).findLast(({ event }) => event === 'started')?.count).toBe(
          saved?.count,
        );
        const pod = scene.pods.find(({ object }) => object.metadata.name === after)?.object;
        expect(pod?.spec.nodeSelector).toEqual(nodeSelector);
      },
      STORY_TIMEOUT_MS,
    );
  });
});
