import { expect, it } from '@jest/globals';
import { eventually } from './eventually.ts';
import { expectGoodbyes, expectNobodyAsked } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';

onNode('before the pods of a Job go they are asked to shut down', () => {
  const stage = createStage();

  it.concurrent(
    'a Job is deleted',
    async () => {
      const scene = await stage.scene('job');
      const pods = await scene.start({ kind: 'Job', service: 'shutdown' });
      await scene.kubectl(['delete', 'job', 'counter']);
      await scene.untilGone(pods);
      await expectGoodbyes(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'a Job is suspended, with shutdown-on: its pod says goodbye; when it is resumed it goes on from its state',
    async () => {
      const scene = await stage.scene('suspend');
      const pods = await scene.start({
        kind: 'Job',
        service: 'shutdown',
        annotations: { 'shutdown-on': 'deletion,scale-down' },
      });
      const suspend = (value: boolean): Promise<unknown> =>
        scene.kubectl(['patch', 'job', 'counter', '-p', JSON.stringify({ spec: { suspend: value } })]);
      await suspend(true);
      await scene.untilGone(pods);
      const [saved] = await expectGoodbyes(scene, pods);
      await suspend(false);
      await scene.untilReady('counter', 1, pods);
      expect((await scene.journal()).findLast(({ event }) => event === 'started')?.count).toBe(saved?.count);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'a finished Job has nothing to save: its time to live removes it, and nobody is asked',
    async () => {
      const scene = await stage.scene('ttl');
      await scene.applyApp({
        kind: 'Job',
        service: 'shutdown',
        env: { ENDS_AFTER_MS: '2000' },
        jobSpec: { ttlSecondsAfterFinished: 1 },
      });
      // From the journal, which forgets nothing: it may be over before anybody has seen it ready.
      const pods = await eventually('its pod to have started', async () => {
        const started = (await scene.journal()).filter(({ event }) => event === 'started');
        return started.length > 0 ? started.map(({ pod }) => pod) : undefined;
      });
      await scene.untilGone(pods);
      await scene.kubectl(['wait', '--for=delete', 'job/counter', '--timeout=60s']);
      await expectNobodyAsked(scene, pods);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'a run of a CronJob is deleted; so is another with its CronJob',
    async () => {
      const scene = await stage.scene('cron');
      const runs: string[] = [];
      await scene.applyApp({ kind: 'CronJob', service: 'shutdown' });
      for (const run of ['first', 'second']) {
        await scene.kubectl(['create', 'job', '--from=cronjob/counter', run]);
        const [pod = ''] = await scene.untilReady('counter', 1, runs);
        runs.push(pod);
        // kubectl makes the CronJob the owner of such a run
        await scene.kubectl(run === 'first' ? ['delete', 'job', run] : ['delete', 'cronjob', 'counter']);
        await scene.untilGone([pod]);
        await expectGoodbyes(scene, [pod]);
      }
    },
    STORY_TIMEOUT_MS,
  );
});
