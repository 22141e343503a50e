import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createJobCaches,
  JOB_DONE_WATCHERS,
  WEBHOOK_DELIVERIES,
  WEBHOOKS,
  type JobCaches,
  type Webhook,
} from '../../src/jobs/index.ts';
import { createCollector } from '../../src/jobs/collector.ts';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import { createRecordingLogger } from '../unit/kube/recording-logger.ts';
import { answerWith, ok } from './jobs-receiver.ts';
import { useJobsScene } from './jobs-scene.ts';
import { eventually, NAMESPACE } from './jobs-setting.ts';

// What the leader does beside telling: Webhooks of the families' file, and collecting what is old; on a real API server, with the rights of the manifests.

jest.setTimeout(300_000);
const scene = useJobsScene();

describe('the collector', () => {
  let client: FullKubeClient;
  let caches: JobCaches;
  const ended = new AbortController();
  const logger = createRecordingLogger();
  beforeAll(async () => {
    client = createKubeClient({ kubeconfigPath: scene.setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
    caches = createJobCaches({ client, logger }, []);
    await caches.start(ended.signal);
    await eventually('the caches', () => caches.ready());
  });
  afterAll(async () => {
    ended.abort();
    await caches.stop();
    client.close();
  });

  const DAY_MS = 86_400_000;
  const LIMITS = {
    finishedTtlMs: DAY_MS,
    deadLetterTtlMs: 7 * DAY_MS,
    catchUpMs: DAY_MS,
    maxFinishedPerNamespace: 100,
  };
  const collectAt = (now: number, limits: Partial<typeof LIMITS> = {}): Promise<number> =>
    createCollector({ client, caches, logger, now: () => now }, { ...LIMITS, ...limits }).collect(
      ended.signal,
    );
  const names = async () => {
    const lists = [JOB_DONE_WATCHERS, WEBHOOK_DELIVERIES].map(async (resource) => {
      const { items } = await scene.setting.admin.list(resource, NAMESPACE);
      return items.length;
    });
    const [watchers, deliveries] = await Promise.all(lists);
    return { watchers, deliveries };
  };
  /** So many Jobs that have been told of, each with a watcher, all marked. */
  async function finished(prefix: string, count: number): Promise<readonly string[]> {
    const jobs = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
    await scene.setting.createWebhook('target', { url: scene.receiver.url });
    for (const job of jobs) {
      await scene.setting.createJob(job);
      await scene.setting.createWatcher(`of-${job}`, job, ['target']);
      await scene.setting.finishJob(job);
    }
    await eventually('marks, and the caches to have them', () =>
      jobs.every((job) => {
        const facts = caches.jobs.get(`${NAMESPACE}/${job}`);
        const watcher = caches.watchers.get(`${NAMESPACE}/of-${job}`);
        const delivery = [...caches.deliveries.store.values()].find(
          ({ event }) => event.job.uid === facts?.uid,
        );
        return (
          facts?.settled !== undefined && watcher?.finishedAt !== undefined && delivery?.phase === 'Delivered'
        );
      }),
    );
    return jobs;
  }

  it('takes finished watchers and deliveries when their time to live is over, and not before', async () => {
    await finished('old', 3);
    expect(await collectAt(Date.now() + DAY_MS - 60_000)).toBe(0);
    expect(await names()).toEqual({ watchers: 3, deliveries: 3 });
    expect(await collectAt(Date.now() + DAY_MS + 60_000)).toBe(6);
    expect(await names()).toEqual({ watchers: 0, deliveries: 0 });
  });

  it('takes the oldest of too many', async () => {
    await finished('many', 5);
    expect(await collectAt(Date.now(), { maxFinishedPerNamespace: 2 })).toBe(6);
    expect(await names()).toEqual({ watchers: 2, deliveries: 2 });
  });

  it('leaves a dead letter for a week, however many were delivered since', async () => {
    scene.receiver.behave(answerWith(410));
    await scene.setting.createWebhook('gone', { url: scene.receiver.url });
    await scene.setting.createJob('dead', { annotations: { 'hooks.krake.dev/on-job-done': 'gone' } });
    await scene.setting.finishJob('dead');
    await eventually('the dead letter', () =>
      [...caches.deliveries.store.values()].some(({ phase }) => phase === 'DeadLetter'),
    );
    scene.receiver.behave(ok);
    await finished('well', 3);
    const dead = [...caches.deliveries.store.values()].find(({ phase }) => phase === 'DeadLetter');
    expect(await collectAt(Date.now(), { maxFinishedPerNamespace: 1 })).toBe(4);
    expect(await collectAt(Date.now() + 6 * DAY_MS)).toBe(2);
    expect((await scene.setting.deliveries()).map(({ metadata }) => metadata.name)).toEqual([dead?.name]);
    expect(await collectAt(Date.now() + 8 * DAY_MS)).toBe(1);
  });

  it('leaves what is on its way, and a delivery without which its Job would be told of again', async () => {
    const [job = ''] = await finished('kept', 1);
    await scene.receiver.down();
    await scene.setting.createJob('waiting', { annotations: { 'hooks.krake.dev/on-job-done': 'target' } });
    await scene.setting.finishJob('waiting');
    await scene.setting.createWatcher('pending', 'no-such-job', ['target']);
    // Somebody takes the mark away: as long as the Job could be caught up with, its delivery is what remembers.
    await scene.setting.admin.patch(
      { resource: { apiVersion: 'batch/v1', plural: 'jobs' }, namespace: NAMESPACE, name: job },
      { type: 'merge', body: { metadata: { annotations: { 'hooks.krake.dev/webhooks-settled': null } } } },
    );
    await eventually('the caches', () => {
      const { settled } = caches.jobs.get(`${NAMESPACE}/${job}`) ?? {};
      return settled === undefined && [...caches.deliveries.store.values()].length === 2;
    });
    const none = { maxFinishedPerNamespace: 0, catchUpMs: 2 * DAY_MS };
    expect(await collectAt(Date.now(), none)).toBe(1);
    expect(await names()).toEqual({ watchers: 1, deliveries: 2 });
    // Too old to be caught up with, it may go; what is on its way stays.
    expect(await collectAt(Date.now() + 3 * DAY_MS, none)).toBe(1);
    expect(await names()).toEqual({ watchers: 1, deliveries: 1 });
    await scene.receiver.up();
    await eventually('delivered after all', () =>
      scene.receiver.received.some(({ body }) => body.includes('waiting')),
    );
  });

  it('a Job that was collected is not told of again by the next leader', async () => {
    const [job = ''] = await finished('once', 1);
    const before = scene.receiver.received.length;
    expect(await collectAt(Date.now() + 2 * DAY_MS)).toBe(2);
    await scene.setting.stopReplicas();
    const second = await scene.setting.replica();
    await eventually('it leads', () => second.output().includes('job controller works'));
    await scene.setting.createJob('after', { annotations: { 'hooks.krake.dev/on-job-done': 'target' } });
    await scene.setting.finishJob('after');
    await eventually('the one after it', () => scene.receiver.received.length > before);
    const subjects = scene.receiver.received.slice(before).map(({ body }) => body);
    expect(subjects.filter((body) => body.includes(`"${job}"`))).toHaveLength(0);
  });
});

describe('the file of job families', () => {
  const families = (url: string, body: string) => `- jobFamily: nightly
  url: ${url}
  requestBody: '${body}'
  description: told each night
- jobFamily: hourly
  url: ${url}/hourly
`;
  const made = async () => {
    const { items } = await scene.setting.admin.list<Webhook>(WEBHOOKS, NAMESPACE);
    return items.map(({ spec }) => ({ cronJobs: spec.cronJobs, url: spec.url, body: spec.requestBody }));
  };

  it('becomes Webhooks that are called verbatim; a changed file changes them, a broken one nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'krake-hooks-families-'));
    const file = join(folder, 'families.yaml');
    const { url } = scene.receiver;
    const startWith = async (text: string) => {
      await scene.setting.stopReplicas();
      await writeFile(file, text);
      return scene.setting.replica({ 'jobs.familiesFile': file });
    };
    try {
      await startWith(families(url, '{"night":1}'));
      await eventually('two Webhooks', async () => (await made()).length === 2);
      expect(await made()).toContainEqual({ cronJobs: ['nightly'], url, body: '{"night":1}' });

      const uids = async () => {
        const { items } = await scene.setting.admin.list<Webhook>(WEBHOOKS, NAMESPACE);
        return items.map(({ metadata }) => metadata.uid).sort();
      };
      const first = await uids();
      await startWith(families(url, '{"night":2}'));
      await eventually('the changed one', async () =>
        (await made()).some(({ body }) => body === '{"night":2}'),
      );
      // The same ones: what waits for them is not lost.
      expect(await uids()).toEqual(first);
      const before = scene.receiver.received.length;
      await runNightly();
      await eventually('the call', () => scene.receiver.received.length > before);
      expect(scene.receiver.received[before]).toMatchObject({
        body: '{"night":2}',
        headers: { 'content-type': 'application/json' },
      });

      const third = await startWith('- jobFamily: NOT A NAME\n');
      await eventually('a word about it', () =>
        ['job families are not as their file says', 'entry 0.jobFamily'].every((words) =>
          third.output().includes(words),
        ),
      );
      expect(await made()).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('a Webhook of somebody else’s that has the name of one stays as it is, and the others are made', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'krake-hooks-families-'));
    const file = join(folder, 'families.yaml');
    const { url } = scene.receiver;
    try {
      await scene.setting.stopReplicas();
      await scene.setting.createWebhook('family-nightly-1', { url: `${url}/mine` });
      await writeFile(file, families(url, '{"night":1}'));
      const replica = await scene.setting.replica({ 'jobs.familiesFile': file });
      await eventually('a word about it', () =>
        replica.output().includes('family-nightly-1 exists and is not ours'),
      );
      const urls = (await made()).map((each) => each.url).sort();
      expect(urls).toEqual([`${url}/hourly`, `${url}/mine`]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is tried again until its namespace is there, and a changed one counts without a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'krake-hooks-families-'));
    const file = join(folder, 'families.yaml');
    const { url } = scene.receiver;
    const { admin } = scene.setting;
    const bodies = async () => {
      const { items } = await admin.list<Webhook>(WEBHOOKS, 'families-later');
      return items.map(({ spec }) => spec.requestBody).sort();
    };
    try {
      await scene.setting.stopReplicas();
      await writeFile(file, families(url, '{"night":1}'));
      const replica = await scene.setting.replica({
        'jobs.familiesFile': file,
        'jobs.familiesNamespace': 'families-later',
      });
      await eventually('a word about it', () => replica.output().includes('it is tried again'));
      const metadata = { name: 'families-later', labels: { 'hooks.krake.dev/enabled': 'true' } };
      await admin.create({ apiVersion: 'v1', plural: 'namespaces' }, undefined, {
        ...{ apiVersion: 'v1', kind: 'Namespace', metadata },
      });
      await eventually('two Webhooks', async () => (await bodies()).length === 2);
      await writeFile(file, families(url, '{"night":2}'));
      await eventually('the changed one', async () => (await bodies()).includes('{"night":2}'));
      expect(await bodies()).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  async function runNightly(): Promise<void> {
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } };
    const cronJob = await scene.setting.admin.create(
      { apiVersion: 'batch/v1', plural: 'cronjobs' },
      NAMESPACE,
      {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'nightly', namespace: NAMESPACE },
        spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } },
      },
    );
    const { uid } = cronJob.metadata;
    const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'nightly', uid, controller: true };
    await scene.setting.createJob('nightly-1', { ownerReferences: [owner] });
    await scene.setting.finishJob('nightly-1');
  }
});
