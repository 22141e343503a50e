import { expect, it } from '@jest/globals';
import { eventually } from './eventually.ts';
import { expectGoodbyes } from './goodbye.ts';
import { waitForRollout } from './installation.ts';
import { nodePod } from './node-pod.ts';
import { onNode } from './on-node.ts';
import { createStage, deadlinesOf, STORY_TIMEOUT_MS } from './shutdown-scene.ts';

onNode('our own processes are replaced while an application shuts down', () => {
  const stage = createStage();

  it(
    'another controller goes on with the conversation: same deadline, asked again openly, gone once it is confirmed',
    async () => {
      const scene = await stage.scene('handover');
      // It saves so slowly that the other controller asks it long before it is done.
      const pods = await scene.start({
        service: 'shutdown',
        env: { SAVE_MS: '60000' },
        annotations: { 'shutdown-timeout': '240s' },
      });
      await scene.kubectl(['delete', 'deployment', 'counter', '--wait=false']);
      const { metadata } = await scene.untilApplication('deployment-counter', 'called', ({ status }) => {
        return status?.shutdown?.conversations.at(-1)?.ask !== undefined;
      });
      await eventually('the application to hear it', async () => {
        return (await scene.journal()).some(({ event }) => event === 'asked') || undefined;
      });
      const restart = [
        'rollout',
        'restart',
        'deployment/krake-hooks-controller',
        'deployment/krake-hooks-gate',
      ];
      await scene.cluster.kubectl(['-n', 'krake-system', ...restart]);
      for (const part of ['controller', 'gate'] as const) await waitForRollout(scene.cluster, part);
      await scene.untilGone(pods, 180_000);
      expect(deadlinesOf(scene).size).toBe(1);
      expect(scene.applications.every(({ object }) => object.metadata.uid === metadata.uid)).toBe(true);
      const journal = await scene.journal();
      const asked = journal.filter(({ event }) => event === 'asked').map(({ body = '' }) => body);
      const attempts = asked.map((body) => (JSON.parse(body) as { attempt: number }).attempt);
      // One that did not get through is counted, too; none comes twice.
      expect(attempts.length).toBeGreaterThan(1);
      expect(attempts).toEqual([...new Set(attempts)].sort((a, b) => a - b));
      const saved = journal.findIndex(({ event }) => event === 'saved');
      expect(saved).toBeGreaterThan(0);
      expect(journal.findIndex(({ event }) => event === 'terminated')).toBeGreaterThan(saved);
    },
    STORY_TIMEOUT_MS,
  );

  it(
    'while the gate is away nobody can delete a hooked pod, everybody any other; then all goes on',
    async () => {
      const scene = await stage.scene('gate-away');
      const [pod = ''] = await scene.start({ service: 'shutdown' });
      const spec = nodePod([{ name: 'idle', program: 'idle.mts' }], { files: 'counter', graceSeconds: 1 });
      await scene.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'plain' }, spec });
      const scale = (replicas: number): Promise<unknown> =>
        scene.cluster.kubectl([
          '-n',
          'krake-system',
          'scale',
          'deployment/krake-hooks-gate',
          `--replicas=${replicas}`,
        ]);
      await scale(0);
      try {
        const gone = [
          'wait',
          '--for=delete',
          'pod',
          '-l',
          'app.kubernetes.io/component=gate',
          '--timeout=60s',
        ];
        await scene.cluster.kubectl(['-n', 'krake-system', ...gone], { timeoutMs: 70_000 });
        const refused = await scene.kubectl(['delete', 'pod', pod, '--wait=false'], { allowFailure: true });
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain('krake');
        await scene.kubectl(['delete', 'pod', 'plain']);
        expect((await scene.journal()).map(({ event }) => event)).toEqual(['started']);
      } finally {
        await scale(1);
        await waitForRollout(scene.cluster, 'gate');
      }
      // The API server may learn later than we do where the gate is again; until then nobody stores what is refused.
      await scene.deletePod(pod);
      await scene.untilGone([pod]);
      await expectGoodbyes(scene, [pod]);
    },
    STORY_TIMEOUT_MS,
  );
});
