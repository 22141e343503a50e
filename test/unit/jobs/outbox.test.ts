import { describe, expect, it } from '@jest/globals';
import type { JobEvent, WebhookDelivery } from '../../../src/jobs/index.ts';
import { projectDelivery } from '../../../src/jobs/known-delivery.ts';
import { createOutbox, type OutboxDeps } from '../../../src/jobs/outbox.ts';
import { KubeApiError } from '../../../src/kube/index.ts';

const EVENT: JobEvent = {
  type: 'complete',
  time: '2030-01-01T00:00:05.000Z',
  job: { name: 'train', uid: 'job-uid' },
  reason: 'CompletionsReached',
  succeeded: 1,
  failed: 0,
  labels: { team: 'a' },
};
const ENTRY = { namespace: 'shop', webhook: { name: 'w', uid: 'w-uid' }, event: EVENT };

/** Names are taken once: all that is asked of the API server here. */
function start() {
  const stored = new Map<string, WebhookDelivery>();
  const seen = new Map<string, ReturnType<typeof projectDelivery>>();
  const foreign: string[] = [];
  let uids = 0;
  const client = {
    create: (_resource: unknown, _namespace: unknown, object: WebhookDelivery) => {
      const { name } = object.metadata;
      if (stored.has(name)) return Promise.reject(new KubeApiError('there is one', 409, 'AlreadyExists'));
      uids += 1;
      const made = { ...object, metadata: { ...object.metadata, uid: `uid-${uids}` } };
      stored.set(name, made);
      return Promise.resolve(made);
    },
    get: ({ name }: { name: string }) => Promise.resolve(stored.get(name)),
    delete: ({ name }: { name: string }, { uid }: { uid: string }) =>
      Promise.resolve(stored.get(name)?.metadata.uid === uid && stored.delete(name)),
  } as unknown as OutboxDeps['client'];
  const make = () =>
    createOutbox({
      client,
      caches: { deliveries: seen } as unknown as OutboxDeps['caches'],
      onCreated: () => undefined,
      onForeign: (_entry, name) => void foreign.push(name),
    });
  return { stored, seen, foreign, make };
}

describe('createOutbox', () => {
  it.each<[string, JobEvent]>([
    ['the same', EVENT],
    ['what has other labels by now', { ...EVENT, labels: { team: 'b' } }],
  ])('takes one that another leader has made for its own: %s', async (_name, event) => {
    const { stored, foreign, make } = start();
    const first = await make().ensure(ENTRY);
    expect(await make().ensure({ ...ENTRY, event })).toMatchObject({ name: first.name, uid: first.uid });
    expect([stored.size, foreign.length]).toEqual([1, 0]);
  });

  it.each<[string, JobEvent]>([
    ['another time', { ...EVENT, time: '2030-01-01T00:00:01.000Z' }],
    ['another Job', { ...EVENT, job: { name: 'train', uid: 'another' } }],
    ['another reason', { ...EVENT, reason: 'Forged' }],
    ['another event', { ...EVENT, type: 'failed' }],
  ])(
    'one under its name that tells %s is replaced, whether the watch has brought it or not',
    async (_name, event) => {
      for (const isSeen of [true, false]) {
        const { stored, seen, foreign, make } = start();
        const { name } = await make().ensure(ENTRY);
        const forged = { ...stored.get(name), spec: { webhook: ENTRY.webhook, event } } as WebhookDelivery;
        stored.set(name, forged);
        if (isSeen) seen.set(`shop/${name}`, projectDelivery(forged));
        const outbox = make();
        expect(outbox.find(ENTRY)).toBeUndefined();
        await outbox.ensure(ENTRY);
        expect(stored.get(name)?.spec.event).toEqual(EVENT);
        expect(foreign).toEqual([name]);
        expect(outbox.find(ENTRY)).toMatchObject({ phase: 'Pending', event: EVENT });
        outbox.seen(projectDelivery(forged), undefined);
        expect(outbox.find(ENTRY)).toBeDefined();
        expect(stored.get(name)?.metadata.uid).not.toBe(forged.metadata.uid);
      }
    },
  );
});
