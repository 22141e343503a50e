import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createWatcher, type NewWatcher } from '../../../src/jobs-api/create-watcher.ts';
import { createOperations, type OperationsDeps } from '../../../src/jobs-api/operations.ts';
import { watcherRequest } from '../../../src/jobs-api/resources.ts';
import { isUuid, type JobDoneWatcher } from '../../../src/jobs/index.ts';
import { KubeApiError, KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';

/** Names are taken once: all that is asked of the API server here. That it is so is seen in the integration tests. */
function start(jobUid?: string) {
  const stored = new Map<string, JobDoneWatcher>();
  const client = {
    create: (_resource: unknown, _namespace: unknown, object: JobDoneWatcher) => {
      const { name } = object.metadata;
      if (stored.has(name)) return Promise.reject(new KubeApiError('there is one', 409, 'AlreadyExists'));
      stored.set(name, object);
      return Promise.resolve(object);
    },
    get: ({ name }: { name: string }) => Promise.resolve(stored.get(name)),
  } as unknown as Pick<KubeClient, 'create' | 'get'>;
  const world = { jobUid, isSeen: true, reads: 0 };
  const job = () => {
    world.reads++;
    return Promise.resolve(world.jobUid === undefined ? undefined : { uid: world.jobUid });
  };
  const deps = { client, job, mayBeThere: () => world.isSeen };
  return { stored, world, create: (wanted: NewWatcher) => createWatcher(deps, wanted) };
}

const wanted = (
  idempotencyKey: string | undefined,
  request: object = {},
  namespace = 'shop',
): NewWatcher => ({
  namespace,
  idempotencyKey,
  webhooks: ['w'],
  request: watcherRequest.parse({
    jobName: 'train',
    jobDoneTriggerWebhooks: [{ webhookId: 'w' }],
    ...request,
  }),
});

describe('createWatcher', () => {
  it('without a key makes another one each time, each with a UUID', async () => {
    const { stored, create } = start();
    await create(wanted(undefined));
    await create(wanted(undefined));
    expect([...stored.keys()].map(isUuid)).toEqual([true, true]);
  });

  it('with a key makes one; whoever repeats is shown it, with its triggers under the same ids', async () => {
    const { stored, create } = start();
    const answers = await Promise.all([1, 2, 3].map(() => create(wanted('any text: ключ'))));
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['created', 'replayed', 'replayed']);
    expect([...stored.keys()].map(isUuid)).toEqual([true]);
    const names = answers.map((answer) => ('watcher' in answer ? answer.watcher.metadata.name : ''));
    expect(new Set(names)).toEqual(new Set(stored.keys()));
  });

  it.each<[string, NewWatcher, string]>([
    ['what means the same', wanted('k', { timeoutSeconds: 0 }), 'replayed'],
    ['another Job', wanted('k', { jobName: 'other' }), 'other-request'],
    ['another time limit', wanted('k', { timeoutSeconds: 1 }), 'other-request'],
    ['another webhook', wanted('k', { jobDoneTriggerWebhooks: [{ webhookId: 'v' }] }), 'other-request'],
    ['another key', wanted('l'), 'created'],
    ['the same key in another namespace', wanted('k', {}, 'elsewhere'), 'created'],
  ])('a second request with %s', async (_name, second, kind) => {
    const { create } = start();
    await create(wanted('k'));
    expect((await create(second)).kind).toBe(kind);
  });

  it('binds to the Job that is there; a Job that has replaced it means a new watcher, one again', async () => {
    const { stored, world, create } = start('first');
    await create(wanted('k'));
    world.jobUid = 'second';
    const kinds = [(await create(wanted('k'))).kind, (await create(wanted('k'))).kind];
    expect(kinds).toEqual(['created', 'replayed']);
    expect([...stored.values()].map(({ spec }) => spec.jobUid)).toEqual(['first', 'second']);
  });

  it('asks for no Job that no watch has shown, unless the key has its watcher already', async () => {
    const { stored, world, create } = start();
    world.isSeen = false;
    expect((await create(wanted('k'))).kind).toBe('created');
    expect((await create(wanted(undefined))).kind).toBe('created');
    expect(world.reads).toBe(0);
    const [first] = stored.values();
    if (first === undefined) throw new Error('nothing was stored');
    stored.set(first.metadata.name, { ...first, status: { phase: 'COMPLETED', jobUid: 'first' } });
    world.jobUid = 'second';
    expect((await create(wanted('k'))).kind).toBe('created');
    expect(world.reads).toBe(1);
    expect([...stored.values()].map(({ spec }) => spec.jobUid)).toEqual([undefined, undefined, 'second']);
  });

  it.each([
    ['still shows a namesake', true, [['shop/train', { uid: 'deleted' }]]],
    ['is cut off', false, []],
  ] as const)('binds to the living Job when the watch cache %s', async (_name, connected, cached) => {
    let spec: JobDoneWatcher['spec'] | undefined;
    const client = {
      get: () => Promise.resolve({ metadata: { namespace: 'shop', name: 'train', uid: 'living' } }),
      create: (_resource: unknown, _namespace: unknown, object: JobDoneWatcher) => {
        ({ spec } = object);
        return Promise.resolve({
          ...object,
          metadata: { ...object.metadata, creationTimestamp: '2030-01-01T00:00:00Z' },
        });
      },
    };
    const deps = {
      client,
      caches: { jobs: Object.assign(new Map<string, object>(cached), { connected: () => connected }) },
    } as unknown as OperationsDeps;
    const body = JSON.stringify({ jobName: 'train', jobDoneTriggerWebhooks: [] });
    const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
    const request = Object.assign(Readable.from([Buffer.from(body)]), {
      headers,
    }) as unknown as IncomingMessage;
    const url = new URL('http://service/job-done-watchers');
    await createOperations(deps).createWatcher({ request, url, namespace: 'shop', id: '' });
    expect(spec?.jobUid).toBe('living');
  });

  it('one that is just being deleted is neither there nor gone', async () => {
    const { stored, create } = start();
    await create(wanted('k'));
    for (const [name, watcher] of stored) {
      const metadata = { ...watcher.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' };
      stored.set(name, { ...watcher, metadata });
    }
    expect(await create(wanted('k'))).toEqual({ kind: 'in-flight' });
  });

  it('an API server that is away is nobody else’s fault', async () => {
    const away = () => Promise.reject(new KubeUnreachableError('away'));
    const deps = {
      client: { create: away, get: away } as unknown as KubeClient,
      job: () => Promise.resolve(undefined),
      mayBeThere: () => true,
    };
    await expect(createWatcher(deps, wanted('k'))).rejects.toThrow(KubeUnreachableError);
  });
});
