import { describe, expect, it } from '@jest/globals';
import { expectGoodbyes } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';

onNode('before a namespace is deleted its applications are asked to shut down', () => {
  const stage = createStage();

  describe.each([
    // The namespace controller deletes the Service at once: what it led to has to be known already.
    ['service form', 'ns-service', { service: 'shutdown' }],
    [
      'service form by name and port',
      'ns-named',
      { service: 'keeper', annotations: { 'shutdown-service': 'keeper:shutdown/bye' } },
    ],
    ['pod form', 'ns-pod', { replicas: 2, annotations: { 'shutdown-service': 'pod:8080' } }],
    [
      'StatefulSet in the pod form',
      'ns-set',
      { kind: 'StatefulSet', annotations: { 'shutdown-service': 'pod:8080' } },
    ],
    ['bare Pod', 'ns-bare', { kind: 'Pod', service: 'shutdown' }],
    [
      // It saves for longer than its service account and its ReplicaSet are there.
      'pod identity',
      'ns-identity',
      {
        service: 'shutdown',
        env: { SAVE_MS: '15000' },
        annotations: { auth: 'pod-identity', 'shutdown-timeout': '180s' },
      },
    ],
  ] as const)('%s', (_, name, app) => {
    it.concurrent(
      'saves its state first; then the namespace goes at once',
      async () => {
        const scene = await stage.scene(name);
        const pods = await scene.start(app);
        await scene.cluster.kubectl(['delete', 'namespace', scene.name, '--timeout=120s'], {
          timeoutMs: 130_000,
        });
        await scene.untilGone(pods);
        await expectGoodbyes(scene, pods);
      },
      STORY_TIMEOUT_MS,
    );
  });

  it.concurrent(
    'several applications, one of which never says goodbye: it delays no other, and its deadline frees the namespace',
    async () => {
      const scene = await stage.scene('ns-mixed');
      const good = await scene.start({ service: 'shutdown' });
      const bad = await scene.start({
        name: 'mute',
        service: 'mute',
        env: { CONFIRMS: 'never' },
        annotations: { 'shutdown-service': 'mute', 'shutdown-timeout': '60s' },
      });
      await scene.cluster.kubectl(['delete', 'namespace', scene.name, '--timeout=240s'], {
        timeoutMs: 250_000,
      });
      await scene.untilGone([...good, ...bad]);
      await expectGoodbyes(scene, good);
      const [deadline = ''] = scene.applications.flatMap(({ object: { metadata, status } }) => {
        const conversations = status?.shutdown?.conversations ?? [];
        return metadata.name === 'deployment-mute' ? conversations.map((one) => one.deadline) : [];
      });
      for (const pod of good) {
        const going = scene.pods.find(({ object: { metadata } }) => {
          return metadata.name === pod && metadata.deletionTimestamp !== undefined;
        });
        expect(going?.seenAt).toBeLessThan(Date.parse(deadline));
      }
    },
    STORY_TIMEOUT_MS,
  );
});
