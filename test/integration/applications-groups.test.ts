import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, startApplicationsSetting, type ApplicationsSetting } from './applications-setting.ts';

const LONG_MS = 300_000;
/** Long enough for the status of an end to be seen on a busy machine. */
const TTL_MS = 8_000;
let setting: ApplicationsSetting;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  await setting.replica({ finishedTtlMs: TTL_MS });
}, 600_000);
afterAll(() => setting.stop(), LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';
const conditionOf = (app: Application, type: string) => app.status?.conditions?.find((c) => c.type === type);
const boundTo = (app: Application) => app.status?.workloads?.map(({ kind, name }) => `${kind}/${name}`);

async function createApplication(name: string, spec: object): Promise<void> {
  const metadata = { name, namespace: NAMESPACE };
  await setting.admin.create(APPLICATIONS, NAMESPACE, {
    apiVersion: APPLICATIONS.apiVersion,
    kind: 'Application',
    metadata,
    spec,
  });
}

async function applicationGone(name: string): Promise<void> {
  await waitFor(`Application ${name} to be gone`, async () =>
    (await setting.application(name)) === undefined ? true : undefined,
  );
}

describe('several workloads with one label', () => {
  it(
    'are one application, and all go together',
    async () => {
      await setting.createWorkload('Deployment', 'front', { application: 'shop' });
      await setting.createWorkload('StatefulSet', 'back', {
        application: 'shop',
        hooks: 'complete,shutdown',
      });
      const app = await setting.applicationThat(
        'shop',
        'has both',
        (found) => isRunning(found) && found.status?.workloads?.length === 2,
      );
      expect(boundTo(app)).toEqual(['Deployment/front', 'StatefulSet/back']);
      expect(app.spec.hooks).toEqual(['complete', 'shutdown']);
      await setting.signal('shop');
      await setting.gone('Deployment', 'front');
      await setting.gone('StatefulSet', 'back');
      await applicationGone('shop');
    },
    LONG_MS,
  );

  it(
    'keep their token when one of them is replaced',
    async () => {
      await setting.createWorkload('Deployment', 'one', { application: 'pair' });
      await setting.createWorkload('Deployment', 'two', { application: 'pair' });
      const before = await setting.applicationThat('pair', 'has both', (app) => boundTo(app)?.length === 2);
      await setting.controlPlane.kubectl(['delete', 'deployment', '-n', NAMESPACE, 'two']);
      const uid = await setting.createWorkload('Deployment', 'two', { application: 'pair' });
      const after = await setting.applicationThat('pair', 'has the new one', (app) =>
        app.status?.workloads?.some((bound) => bound.uid === uid) === true ? isRunning(app) : false,
      );
      expect(after.status?.tokenSha256).toBe(before.status?.tokenSha256);
    },
    LONG_MS,
  );
});

describe('a hand-written Application', () => {
  const workloads = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'listed' }];

  it(
    'gives the workloads that it lists annotation and label, acts on them and stays',
    async () => {
      await createApplication('mine', { workloads, hooks: ['complete'] });
      const waiting = await setting.applicationThat(
        'mine',
        'waits',
        (app) => app.status?.phase === 'Pending',
      );
      expect(conditionOf(waiting, 'SecretReady')).toMatchObject({ status: 'False', reason: 'NoWorkload' });

      await setting.createWorkload('Deployment', 'listed', { hooks: '' });
      // Nothing watches workloads without annotations: its user touches the Application, or the next resync sees it.
      await setting.controlPlane.kubectl(['annotate', 'application', '-n', NAMESPACE, 'mine', 'touched=1']);
      await setting.applicationThat('mine', 'runs', isRunning);
      const found = await setting.workload('Deployment', 'listed');
      expect(found?.metadata.labels).toMatchObject({ 'hooks.krake.dev/application': 'mine' });
      expect(found?.metadata.annotations).toMatchObject({
        'hooks.krake.dev/hooks': 'complete',
        'hooks.krake.dev/complete-action': 'delete',
      });
      await setting.signal('mine');
      await setting.gone('Deployment', 'listed');
      await setting.applicationThat('mine', 'is completed', (app) => app.status?.phase === 'Completed');
    },
    LONG_MS,
  );

  it(
    'takes annotation and label away again when it is deleted',
    async () => {
      await setting.createWorkload('Deployment', 'lent', { hooks: '' });
      const lent = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'lent' }];
      await createApplication('borrowed', { workloads: lent, hooks: ['complete'] });
      await setting.applicationThat('borrowed', 'runs', isRunning);
      await setting.controlPlane.kubectl(['delete', 'application', '-n', NAMESPACE, 'borrowed']);
      await waitFor('the annotation to be gone', async () => {
        const found = await setting.workload('Deployment', 'lent');
        return JSON.stringify(found?.metadata.annotations ?? {}).includes('hooks.krake.dev')
          ? undefined
          : true;
      });
      expect(await setting.application('borrowed')).toBeUndefined();
    },
    LONG_MS,
  );

  it.each([
    ['a long name', 'x'.repeat(64), { workloads }, /at most 63 characters/],
    [
      'scale-to-zero of a DaemonSet',
      'bad',
      {
        workloads: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd' }],
        completeAction: 'scale-to-zero',
      },
      /cannot be scaled to zero/,
    ],
    [
      'a wrong apiVersion',
      'bad',
      { workloads: [{ apiVersion: 'apps/v1', kind: 'Job', name: 'j' }] },
      /the apiVersion of Job is batch\/v1/,
    ],
    ['a workload twice', 'bad', { workloads: [...workloads, ...workloads] }, /Duplicate value/],
    ['a hook twice', 'bad', { hooks: ['complete', 'complete'] }, /Duplicate value/],
    ['an unknown hook', 'bad', { hooks: ['complte'] }, /Unsupported value/],
  ])('with %s is refused in clear words', async (_what, name, spec, message) => {
    await expect(createApplication(name, spec)).rejects.toThrow(message);
  });
});

describe('the end of an application', () => {
  it(
    'without a signal is the end of its workload; it is kept for its time to live and no longer',
    async () => {
      await setting.createWorkload('Deployment', 'brief', { replicas: 0 });
      await setting.applicationThat('deployment-brief', 'runs', isRunning);
      await setting.controlPlane.kubectl(['delete', 'deployment', '-n', NAMESPACE, 'brief', '--wait=false']);
      const app = await setting.applicationThat(
        'deployment-brief',
        'is over',
        ({ status }) => status?.finishedAt !== undefined,
      );
      expect(conditionOf(app, 'Completed')).toMatchObject({ status: 'True', reason: 'WorkloadGone' });
      await applicationGone('deployment-brief');
      expect(Date.now() - Date.parse(app.status?.finishedAt ?? '')).toBeGreaterThanOrEqual(TTL_MS);
    },
    LONG_MS,
  );

  it.each([
    ['Complete', 'SuccessCriteriaMet', 'Completed', 'WorkloadSucceeded'],
    ['Failed', 'FailureTarget', 'Failed', 'WorkloadFailed'],
  ])(
    'of a Job that is %s by itself is seen in its status',
    async (type, before, phase, reason) => {
      const name = `self-${type.toLowerCase()}`;
      await setting.createWorkload('Job', name);
      await setting.applicationThat(`job-${name}`, 'runs', isRunning);
      await endJob(name, type, before);
      const app = await setting.applicationThat(
        `job-${name}`,
        `is ${phase}`,
        ({ status }) => status?.phase === phase,
      );
      expect(conditionOf(app, 'Completed')).toMatchObject({ status: 'True', reason });
      // Its signal may come just as it ends, and is carried out then.
      await setting.signal(`job-${name}`);
      await setting.gone('Job', name);
    },
    LONG_MS,
  );
});

describe('a namespace', () => {
  it(
    'that is opted out voids the tokens in it, and gives new ones when it is opted in again',
    async () => {
      await setting.createWorkload('Deployment', 'citizen');
      const before = await setting.applicationThat('deployment-citizen', 'runs', isRunning);
      await waitFor('its pod', async () => {
        const { stdout } = await setting.controlPlane.kubectl([
          'get',
          'pods',
          '-n',
          NAMESPACE,
          '-l',
          'app=citizen',
          '-o',
          'name',
        ]);
        return stdout.trim() === '' ? undefined : true;
      });
      await setting.controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled-']);
      const out = await setting.applicationThat(
        'deployment-citizen',
        'has no token',
        ({ status }) => status?.tokenSha256 === undefined,
      );
      expect(conditionOf(out, 'SecretReady')).toMatchObject({ reason: 'NamespaceNotEnabled' });
      await setting.controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
      const again = await setting.applicationThat('deployment-citizen', 'runs again', isRunning);
      expect(again.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
    },
    LONG_MS,
  );
});

type JobStatus = KubeObject & { readonly status?: { readonly startTime?: string } };

/** Ends a Job as its controller does; without a node no pod ever does. */
async function endJob(name: string, type: string, before: string): Promise<void> {
  await setting.controlPlane.kubectl([
    'delete',
    'pods',
    '-n',
    NAMESPACE,
    '-l',
    `app=${name}`,
    '--wait=false',
  ]);
  const job = { resource: WORKLOAD_KINDS.Job, namespace: NAMESPACE, name };
  await waitFor(`the Job ${name} to be ended`, async () => {
    // The Job controller may have started it since; that time must stay, and the end may not lie before it.
    const { status } = (await setting.admin.get<JobStatus>(job)) ?? {};
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = (kind: string) => ({
      type: kind,
      status: 'True',
      reason: 'Test',
      message: 'ended by a test',
      lastProbeTime: now,
      lastTransitionTime: now,
    });
    await setting.admin.patch(
      { ...job, subresource: 'status' },
      {
        type: 'merge',
        body: {
          status: {
            startTime: status?.startTime ?? now,
            ...(type === 'Complete' ? { completionTime: now, succeeded: 1 } : {}),
            active: 0,
            ready: 0,
            terminating: 0,
            conditions: [condition(before), condition(type)],
          },
        },
      },
    );
    return true;
  });
}
