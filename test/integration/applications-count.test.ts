import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_WHEN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, startApplicationsSetting, type ApplicationsSetting } from './applications-setting.ts';
import { buildWorkload } from './applications-workloads.ts';

// What pods say is stored here as callbacks store it, by the proven UID; pods are those of the real controllers, and never run.

const LONG_MS = 300_000;
const SOON = { timeoutMs: 30_000, intervalMs: 50 };
let setting: ApplicationsSetting;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  await setting.replica();
}, 600_000);
afterAll(() => setting.stop(), LONG_MS);

async function podsOf(name: string, kind = 'deployment'): Promise<readonly KubeObject[]> {
  const labelSelector = `${LABEL_APPLICATION}=${kind}-${name}`;
  const { items } = await setting.admin.list(WORKLOAD_KINDS.Pod, NAMESPACE, { labelSelector });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function start(name: string, when: string, replicas: number): Promise<readonly KubeObject[]> {
  await setting.createWorkload('Deployment', name, {
    replicas,
    annotations: { [ANNOTATION_AUTH]: 'pod-identity', [ANNOTATION_COMPLETE_WHEN]: when },
  });
  await setting.applicationThat(`deployment-${name}`, 'runs', ({ status }) => status?.phase === 'Running');
  return waitFor(
    `${replicas} pods of ${name}`,
    async () => {
      const pods = await podsOf(name);
      return pods.length === replicas ? pods : undefined;
    },
    SOON,
  );
}

async function say(name: string, pod: KubeObject | undefined, kind = 'deployment'): Promise<void> {
  const { uid = '', name: podName } = pod?.metadata ?? {};
  const word = {
    receivedAt: new Date().toISOString(),
    provenBy: 'pod-identity',
    pod: { name: podName, uid },
  };
  await setting.admin.patch(
    { resource: APPLICATIONS, namespace: NAMESPACE, name: `${kind}-${name}`, subresource: 'status' },
    { type: 'merge', body: { status: { signals: { completeFrom: { [uid]: word } } } } },
  );
}

/** As its kubelet would tell it. */
async function succeed(pod: KubeObject | undefined): Promise<void> {
  const name = pod?.metadata.name ?? '';
  await setting.admin.patch(
    { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name, subresource: 'status' },
    { type: 'merge', body: { status: { phase: 'Succeeded' } } },
  );
}

/** A Job with so many pods at once, all of which are wanted. */
async function startJob(name: string, when: string, pods: number): Promise<readonly KubeObject[]> {
  const annotations = { [ANNOTATION_AUTH]: 'pod-identity', [ANNOTATION_COMPLETE_WHEN]: when };
  const job = buildWorkload('Job', name, NAMESPACE, { annotations }) as { readonly spec: object };
  await setting.admin.create(WORKLOAD_KINDS.Job, NAMESPACE, {
    ...job,
    spec: { ...job.spec, parallelism: pods, completions: pods },
  });
  await setting.applicationThat(`job-${name}`, 'runs', ({ status }) => status?.phase === 'Running');
  return waitFor(
    `${pods} pods of ${name}`,
    async () => {
      const found = await podsOf(name, 'job');
      return found.length === pods ? found : undefined;
    },
    SOON,
  );
}

const says = (name: string, message: string, kind = 'deployment'): Promise<Application> =>
  setting.applicationThat(
    `${kind}-${name}`,
    `says ${message}`,
    ({ status }) =>
      status?.conditions?.some(
        (condition) => condition.type === 'Completed' && condition.message.includes(message),
      ) === true,
  );

describe('complete-when', () => {
  it(
    'all: when each pod that the workload wants has said so, the successor of one that was replaced included',
    async () => {
      const [first, second, third] = await start('all', 'all', 3);
      await say('all', first);
      await says('all', '1 of 3 pods are complete');
      await say('all', second);
      await says('all', '2 of 3 pods are complete');

      // One goes without a word: its successor is awaited.
      const { uid = '', name = '' } = third?.metadata ?? {};
      await setting.admin.delete({ resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name }, { uid });
      const successor = await waitFor(
        'the successor',
        async () => {
          const pods = await podsOf('all');
          const others = pods.filter(
            ({ metadata }) => ![first, second, third].some((pod) => pod?.metadata.uid === metadata.uid),
          );
          return pods.length === 3 ? others[0] : undefined;
        },
        SOON,
      );
      await says('all', '2 of 3 pods are complete');
      expect(await setting.workload('Deployment', 'all')).toBeDefined();

      await say('all', successor);
      await setting.gone('Deployment', 'all');
      const app = await setting.applicationThat(
        'deployment-all',
        'is completed',
        ({ status }) => status?.phase === 'Completed',
      );
      expect(app.status?.signals?.complete).toMatchObject({
        provenBy: 'pod-identity',
        pod: { uid: successor.metadata.uid },
      });
      expect(Object.keys(app.status?.signals?.completeFrom ?? {})).toHaveLength(3);
    },
    LONG_MS,
  );

  it(
    'a number: so many different pods, also such that are gone',
    async () => {
      const [first, second] = await start('two', '2', 3);
      await say('two', first);
      await say('two', first);
      await says('two', '1 of 2 pods are complete');
      const { uid = '', name = '' } = first?.metadata ?? {};
      await setting.admin.delete({ resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name }, { uid });
      await waitFor('it to be gone', async () => {
        const pods = await podsOf('two');
        return pods.length === 3 && !pods.some(({ metadata }) => metadata.uid === uid) ? true : undefined;
      });
      expect(await setting.workload('Deployment', 'two')).toBeDefined();
      await say('two', second);
      await setting.gone('Deployment', 'two');
    },
    LONG_MS,
  );

  it(
    'a number: a pod that succeeded without a word counts, but not alone',
    async () => {
      const [first, second, third] = await startJob('pair', '2', 3);
      await succeed(first);
      await succeed(second);
      await waitFor('the Job to know', async () => {
        const job = (await setting.workload('Job', 'pair')) as { readonly status?: { succeeded?: number } };
        return job.status?.succeeded === 2 ? true : undefined;
      });
      await sleep(1_000);
      expect((await setting.application('job-pair'))?.status?.signals?.complete).toBeUndefined();

      await say('pair', third, 'job');
      await setting.gone('Job', 'pair');
      const app = await setting.applicationThat(
        'job-pair',
        'is completed',
        ({ status }) => status?.phase === 'Completed',
      );
      expect(app.status?.signals?.complete?.pod?.uid).toBe(third?.metadata.uid);
      expect(Object.keys(app.status?.signals?.completeFrom ?? {})).toEqual([third?.metadata.uid]);
    },
    LONG_MS,
  );

  it(
    'all: a pod that succeeded without a word is not waited for, one that runs is',
    async () => {
      const [first, second, third] = await startJob('rest', 'all', 3);
      await succeed(first);
      await say('rest', second, 'job');
      await says('rest', '1 of 2 pods are complete', 'job');
      expect(await setting.workload('Job', 'rest')).toBeDefined();
      await say('rest', third, 'job');
      await setting.gone('Job', 'rest');
    },
    LONG_MS,
  );
});
