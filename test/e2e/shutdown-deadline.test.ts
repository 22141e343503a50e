import { describe, expect, it } from '@jest/globals';
import { eventually } from './eventually.ts';
import { expectGoodbyes } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, deadlinesOf, STORY_TIMEOUT_MS, type Scene } from './shutdown-scene.ts';

const MUTE = { service: 'shutdown', env: { CONFIRMS: 'never' } } as const;

onNode('when the goodbye does not come', () => {
  const stage = createStage();

  const request = (scene: Scene, word: string): Promise<unknown> =>
    scene.kubectl(['annotate', 'application', 'deployment-counter', `hooks.krake.dev/request=${word}`]);

  it.concurrent(
    'shutdown-failure delete: it goes at the deadline, not before, and the deadline never moves',
    async () => {
      const scene = await stage.scene('timeout');
      const pods = await scene.start({ ...MUTE, annotations: { 'shutdown-timeout': '5s' } });
      await scene.kubectl(['delete', 'deployment', 'counter']);
      await scene.untilGone(pods);
      const { status } = await scene.untilApplication(
        'deployment-counter',
        'timed out',
        ({ status: now }) => {
          return now?.shutdown?.conversations.at(-1)?.outcome === 'timed-out';
        },
      );
      const deadline = status?.shutdown?.conversations.at(-1)?.deadline ?? '';
      const going = scene.pods.find(({ object }) => object.metadata.deletionTimestamp !== undefined);
      expect(going?.seenAt).toBeGreaterThanOrEqual(Date.parse(deadline));
      expect((going?.seenAt ?? 0) - Date.parse(deadline)).toBeLessThan(60_000);
      expect(deadlinesOf(scene)).toEqual(new Set([deadline]));
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'shutdown-retries: another round with its own deadline, in which it answers',
    async () => {
      const scene = await stage.scene('retries');
      const pods = await scene.start({
        service: 'shutdown',
        env: { CONFIRMS: 'second' },
        annotations: { 'shutdown-timeout': '6s', 'shutdown-retries': '5' },
      });
      await scene.kubectl(['delete', 'deployment', 'counter']);
      await scene.untilGone(pods);
      const { status } = await scene.untilApplication(
        'deployment-counter',
        'confirmed',
        ({ status: now }) => {
          return now?.shutdown?.conversations.at(-1)?.outcome === 'confirmed';
        },
      );
      const rounds = status?.shutdown?.conversations.at(-1)?.round;
      expect(rounds).toBeGreaterThanOrEqual(2);
      expect(deadlinesOf(scene).size).toBe(rounds);
      const events = (await scene.journal()).map(({ event }) => event);
      expect(events.filter((event) => event === 'asked').length).toBeGreaterThanOrEqual(2);
      expect(events.lastIndexOf('saved')).toBeLessThan(events.indexOf('terminated'));
    },
    STORY_TIMEOUT_MS,
  );

  const giveUp = async (
    name: string,
    env: Readonly<Record<string, string>>,
  ): Promise<readonly [Scene, string]> => {
    const scene = await stage.scene(name);
    const annotations = { 'shutdown-timeout': '30s', 'shutdown-failure': 'give-up' };
    const [pod = ''] = await scene.start({ service: 'shutdown', env, annotations });
    await scene.deletePod(pod);
    await scene.untilApplication(
      'deployment-counter',
      'Degraded',
      ({ status }) => status?.phase === 'Degraded',
    );
    expect(await scene.untilReady('counter', 1)).toEqual([pod]);
    return [scene, pod];
  };

  it.concurrent(
    'give-up holds the pod; kubectl annotate retry: it is asked again and answers',
    async () => {
      const [scene, pod] = await giveUp('retry', { CONFIRMS: 'second' });
      await request(scene, 'retry');
      await scene.untilGone([pod]);
      expect((await scene.journal()).filter(({ event }) => event === 'asked')).toHaveLength(2);
      await expectRequestHandled(scene);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'give-up, then release: the pod goes without its goodbye',
    async () => {
      const [scene, pod] = await giveUp('release', { CONFIRMS: 'never' });
      await request(scene, 'release');
      await scene.untilGone([pod]);
      await untilDescribed(scene, (text) => told(text).includes('ShutdownReleased'));
      await expectRequestHandled(scene);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'give-up, then cancel: the pod stays and the application runs on',
    async () => {
      const [scene, pod] = await giveUp('cancel', { CONFIRMS: 'never' });
      await request(scene, 'cancel');
      await scene.untilNow('deployment-counter', 'Running', ({ status }) => status?.phase === 'Running');
      await untilDescribed(scene, (text) => told(text).includes('ShutdownCancelled'));
      await expectRequestHandled(scene);
      expect(await scene.untilReady('counter', 1)).toEqual([pod]);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'kubectl describe is enough to understand what is awaited, until when, and what to do',
    async () => {
      const scene = await stage.scene('describe');
      await scene.start({ ...MUTE, annotations: { 'shutdown-timeout': '60s' } });
      await scene.kubectl(['delete', 'deployment', 'counter', '--wait=false']);
      const { status } = await scene.untilApplication('deployment-counter', 'asked', ({ status: now }) => {
        return now?.shutdown?.conversations.at(-1)?.ask?.acceptedAt !== undefined;
      });
      const held = await untilDescribed(scene, (text) => text.includes('AwaitingGoodbye'));
      const { deadline = 'no deadline' } = status?.shutdown?.conversations.at(-1) ?? {};
      expect(held).toMatch(/Phase:\s+WaitingForCleaning/);
      expect(held).toMatch(/Reason:\s+AwaitingGoodbye/);
      expect(held).toContain(`krake-hooks holds Application deployment-counter (deletion)`);
      expect(held).toContain(`at the latest until ${deadline}`);
      expect(held).toContain('hooks.krake.dev/request=release');
      await request(scene, 'release');
      await scene.kubectl(['wait', '--for=delete', 'deployment/counter', '--timeout=60s']);
      const story = [
        'HooksEnabled',
        'ShutdownRequested',
        'ShutdownAsked',
        'ShutdownReleased',
        'WorkloadGone',
      ];
      const end = await untilDescribed(scene, (text) => story.every((reason) => told(text).includes(reason)));
      expect(told(end).filter((reason) => story.includes(reason))).toEqual(story);
    },
    STORY_TIMEOUT_MS,
  );

  describe('nobody answers', () => {
    it.concurrent(
      'is called until the deadline; a service that comes back in time is heard',
      async () => {
        const scene = await stage.scene('unreachable');
        // The Service comes only after the deletion.
        const pods = await scene.start({});
        await scene.kubectl(['delete', 'deployment', 'counter', '--wait=false']);
        await scene.untilApplication('deployment-counter', 'an attempt that failed', ({ status }) => {
          return status?.shutdown?.conversations.at(-1)?.ask?.lastError !== undefined;
        });
        await scene.apply({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'shutdown' },
          spec: { selector: { app: 'counter' }, ports: [{ port: 80, targetPort: 8080 }] },
        });
        await scene.untilGone(pods);
        await expectGoodbyes(scene, pods);
      },
      STORY_TIMEOUT_MS,
    );
  });
});

/** What `kubectl describe` shows, once it fits: Events are written a moment after what they tell of. */
function untilDescribed(scene: Scene, fits: (text: string) => boolean): Promise<string> {
  return eventually('kubectl describe to tell of it', async () => {
    const { stdout } = await scene.kubectl(['describe', 'application', 'deployment-counter']);
    return fits(stdout) ? stdout : undefined;
  });
}

/** The reasons of the Events, in order. */
function told(described: string): readonly string[] {
  return [...described.matchAll(/^\s+(?:Normal|Warning)\s+(\w+)/gm)].map(([, reason = '']) => reason);
}

/** The annotation is taken away, and what was carried out is forgotten, so that the same can be asked for again. */
async function expectRequestHandled(scene: Scene): Promise<void> {
  await scene.untilNow('deployment-counter', 'its request handled', ({ metadata, status }) => {
    const isThere = metadata.annotations?.['hooks.krake.dev/request'] !== undefined;
    return !isThere && status?.shutdown?.handledRequest === undefined;
  });
}
