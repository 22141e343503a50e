import { afterAll, expect, it } from '@jest/globals';
import { connectToCluster } from '../cluster/running-cluster.ts';
import { expectGoodbyes, expectReason } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS, type Scene } from './shutdown-scene.ts';

onNode('kubectl drain', () => {
  const stage = createStage();

  // The harness has one node, and the service runs there, too: so what is drained is chosen by label.
  const drain = async (scene: Scene, app: string): Promise<string> => {
    const { stdout } = await scene.cluster.kubectl([
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[0].metadata.name}',
    ]);
    const flags = [
      '--ignore-daemonsets',
      '--delete-emptydir-data',
      '--timeout=180s',
      `--pod-selector=app=${app}`,
    ];
    const result = await scene.cluster.kubectl(['drain', stdout, ...flags], { timeoutMs: 190_000 });
    return result.stdout + result.stderr;
  };
  const uncordon = async (): Promise<void> => {
    const cluster = await connectToCluster();
    const { stdout } = await cluster.kubectl(['get', 'nodes', '-o', 'name']);
    await cluster.kubectl(['uncordon', ...stdout.trim().split('\n')]);
  };
  afterAll(uncordon, 60_000);

  it(
    'waits for the goodbye, ends, and the successor goes on from the saved state',
    async () => {
      const scene = await stage.scene('drain');
      const pods = await scene.start({ name: 'drained', service: 'shutdown' });
      expect(await drain(scene, 'drained')).toContain('drained');
      await scene.untilGone(pods);
      const [saved] = await expectGoodbyes(scene, pods);
      await expectReason(scene, pods, 'eviction');
      await uncordon();
      await scene.untilReady('drained', 1, pods);
      expect((await scene.journal()).findLast(({ event }) => event === 'started')?.count).toBe(saved?.count);
    },
    STORY_TIMEOUT_MS,
  );

  it(
    'with a PodDisruptionBudget: one pod after the other, each with its goodbye',
    async () => {
      const scene = await stage.scene('budget');
      const pods = await scene.start({
        name: 'budget',
        replicas: 2,
        annotations: { 'shutdown-service': 'pod:8080', 'shutdown-timeout': '300s' },
        env: { STATE_KEY: 'budget' },
      });
      await scene.apply({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'budget' },
        spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'budget' } } },
      });
      // The node is cordoned, so a successor only starts once somebody lets it: like a second node that has room.
      const draining = drain(scene, 'budget');
      await scene.untilSomeGone(pods, 1);
      expect(scene.pods.filter(({ type }) => type === 'DELETED')).toHaveLength(1);
      await uncordon();
      await draining;
      await scene.untilGone(pods);
      // The second has to wait for its turn: for the successor's start and the budget, not for us.
      await expectGoodbyes(scene, pods, 120_000);
    },
    STORY_TIMEOUT_MS,
  );
});
