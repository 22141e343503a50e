import { describe, expect, it } from '@jest/globals';
import { eventually } from './eventually.ts';
import { expectGoodbyeOfOne, expectGoodbyes } from './goodbye.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';
import { onNode } from './on-node.ts';

onNode('before a workload is deleted it is asked to shut down', () => {
  const stage = createStage();

  describe.each([
    ['background', ['delete', 'deployment', 'counter']],
    ['foreground', ['delete', 'deployment', 'counter', '--cascade=foreground']],
    ['by-force', ['delete', 'deployment', 'counter', '--force', '--grace-period=0']],
    // Argo CD's default: foreground propagation, asked of the API.
    [
      'argo',
      [
        'delete',
        '--raw',
        '/apis/apps/v1/namespaces/hooks-e2e-argo/deployments/counter?propagationPolicy=Foreground',
      ],
    ],
  ])('Deployment, %s', (name, command) => {
    it.concurrent(
      'saves its state first and then goes at once',
      async () => {
        const scene = await stage.scene(name);
        const pods = await scene.start({ service: 'shutdown' });
        await scene.kubectl(command);
        await scene.untilGone(pods);
        const [saved] = await expectGoodbyes(scene, pods);
        expect(saved?.count).toBeGreaterThan(0);
        await scene.kubectl(['wait', '--for=delete', 'deployment/counter', '--timeout=60s']);
        const secret = [
          'get',
          'secret',
          'krake-hooks-deployment-counter',
          '--ignore-not-found',
          '-o',
          'name',
        ];
        await scene.untilApplication(
          'deployment-counter',
          'Completed',
          ({ status }) => status?.phase === 'Completed',
        );
        // It goes after the last pod, of which the controller may hear later than we do.
        await eventually('the end of its Secret', async () => {
          return (await scene.kubectl(secret)).stdout === '' || undefined;
        });
      },
      STORY_TIMEOUT_MS,
    );
  });

  it.concurrent(
    'Deployment, orphan: nobody is asked, the pods stay; whoever then deletes the ReplicaSet waits for the goodbye',
    async () => {
      const scene = await stage.scene('orphan');
      const pods = await scene.start({ service: 'shutdown' });
      await scene.kubectl(['delete', 'deployment', 'counter', '--cascade=orphan']);
      await scene.kubectl(['wait', '--for=delete', 'deployment/counter', '--timeout=60s']);
      expect((await scene.journal()).map(({ event }) => event)).toEqual(['started']);
      expect(await scene.untilReady('counter', 1)).toEqual(pods);
      await scene.kubectl(['delete', 'replicaset', '-l', 'app=counter']);
      await scene.untilGone(pods);
      await expectGoodbyes(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'StatefulSet, each pod by itself',
    async () => {
      const scene = await stage.scene('statefulset');
      const pods = await scene.start({
        kind: 'StatefulSet',
        replicas: 2,
        annotations: { 'shutdown-service': 'pod:8080' },
      });
      await scene.kubectl(['delete', 'statefulset', 'counter']);
      await scene.untilGone(pods);
      await expectGoodbyes(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'several replicas behind one Service: one of them is asked, once, for all',
    async () => {
      const scene = await stage.scene('replicas');
      const pods = await scene.start({ service: 'shutdown', replicas: 3 });
      await scene.kubectl(['delete', 'deployment', 'counter']);
      await scene.untilGone(pods);
      await expectGoodbyeOfOne(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );
});
