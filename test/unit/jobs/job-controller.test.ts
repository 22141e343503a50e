import { describe, expect, it } from '@jest/globals';
import { createGoneJobs } from '../../../src/jobs/gone-jobs.ts';
import { createJobController, type JobControllerDeps } from '../../../src/jobs/job-controller.ts';
import type { CacheListener } from '../../../src/jobs/job-caches.ts';
import { projectJob, type JobFacts } from '../../../src/jobs/job-facts.ts';
import { createJobIndex } from '../../../src/jobs/job-index.ts';
import type { Webhook, WebhookDelivery } from '../../../src/jobs/index.ts';
import { webhookOf } from '../deliveries/delivery-fixtures.ts';
import { settle } from '../kube/manual-clock.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';

const CREATED = '2030-01-01T00:00:00Z';
const ENDED = '2030-01-01T01:00:00Z';
const NOW = Date.parse('2030-01-01T02:00:00Z');
const OPTIONS = {
  workers: 1,
  catchUpMs: 86_400_000,
  finishedTtlMs: 3_600_000,
  deadLetterTtlMs: 3_600_000,
  maxFinishedPerNamespace: 100,
};

function jobOf(name: string, changes: { readonly end?: string; readonly isMarked?: boolean } = {}): JobFacts {
  const { end = ENDED, isMarked = false } = changes;
  const annotations = isMarked ? { 'hooks.krake.dev/webhooks-settled': `${name}/complete` } : {};
  const job = projectJob({
    metadata: { namespace: 'shop', name, uid: name, labels: { team: 'a' }, annotations },
    status: { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: end }] },
  } as never);
  if (job === undefined) throw new Error('no Job');
  return job;
}

/** A leader that has begun; `change` is what the watch of Webhooks brings. */
async function start(webhook: Webhook, jobs: readonly JobFacts[]) {
  const index = createJobIndex();
  const gone = createGoneJobs({ index, isServed: () => true, now: () => NOW });
  let listener: CacheListener = {};
  const told: string[] = [];
  const store = new Map(jobs.map((job) => [`shop/${job.name}`, job]));
  const deps = {
    client: {
      create: (_resource: unknown, _namespace: unknown, delivery: WebhookDelivery) => {
        told.push(`${delivery.spec.webhook.name} ${delivery.spec.event.job.name}`);
        return Promise.resolve({ ...delivery, metadata: { ...delivery.metadata, uid: 'd' } });
      },
    },
    caches: {
      index,
      gone,
      jobs: { store },
      watchers: { store: new Map() },
      deliveries: { store: new Map(), get: () => undefined },
      isServed: () => true,
      listen: (given: CacheListener) => {
        listener = given;
        return () => undefined;
      },
    },
    deliver: () => undefined,
    events: { record: () => undefined },
    logger: createRecordingLogger(),
    now: () => NOW,
  } as unknown as JobControllerDeps;
  index.listener.onWebhook?.(undefined, webhook);
  const controller = createJobController(deps, OPTIONS);
  await controller.start(new AbortController().signal);
  await settle();
  told.length = 0;
  return {
    change: async (after: Webhook): Promise<readonly string[]> => {
      index.listener.onWebhook?.(webhook, after);
      listener.onWebhook?.(webhook, after);
      await settle();
      await controller.stop();
      return told;
    },
  };
}

describe('a Webhook that is changed', () => {
  const metadata = { name: 'w', uid: 'w-uid', creationTimestamp: CREATED };
  const narrow = { selector: { matchLabels: { team: 'b' } } };

  it.each([
    ['selector', narrow, { selector: {} }],
    ['events', { selector: {}, events: ['failed'] }, { selector: {} }],
  ])('with a wider %s is told at once of what ended since its creation', async (_what, before, after) => {
    const jobs = [jobOf('train'), jobOf('early', { end: '2029-12-31T23:00:00Z' })];
    const { change } = await start(webhookOf(before, metadata), jobs);
    expect(await change(webhookOf(after, metadata))).toEqual(['w train']);
  });

  it('is not told of a marked Job: its deliveries may have been collected', async () => {
    const { change } = await start(webhookOf(narrow, metadata), [jobOf('train', { isMarked: true })]);
    expect(await change(webhookOf({ selector: {} }, metadata))).toEqual([]);
  });

  it('in what chooses no Job makes nobody look', async () => {
    const { change } = await start(webhookOf({ selector: {} }, metadata), [jobOf('train')]);
    expect(await change(webhookOf({ selector: {}, timeoutSeconds: 3 }, metadata))).toEqual([]);
  });

  it('into a namesake is told as a new one', async () => {
    const { change } = await start(webhookOf(narrow, metadata), [jobOf('train')]);
    const namesake = webhookOf({ selector: {} }, { ...metadata, uid: 'another' });
    expect(await change(namesake)).toEqual(['w train']);
  });
});
