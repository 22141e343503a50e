import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS, type WorkloadKind } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  createBundle,
  startApplicationsSetting,
  type ApplicationsSetting,
  type Replica,
} from './applications-setting.ts';

const START_MS = 600_000;
const LONG_MS = 300_000;
const bundle = createBundle('-----BEGIN CERTIFICATE-----\nfirst\n-----END CERTIFICATE-----\n');
let setting: ApplicationsSetting;
let replica: Replica;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  replica = await setting.replica({ bundle });
}, START_MS);
afterAll(async () => {
  await setting.stop();
}, LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';
const isCompleted = (app: Application) => app.status?.phase === 'Completed';
const conditionOf = (app: Application, type: string) => app.status?.conditions?.find((c) => c.type === type);
const decode = (text = '') => Buffer.from(text, 'base64').toString();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function events(name: string): Promise<string> {
  await replica.events.flush();
  return (await setting.controlPlane.kubectl(['describe', '-n', NAMESPACE, 'application', name])).stdout;
}

describe('an annotated workload on a real API server', () => {
  it(
    'has an Application and a Secret whose token the status knows only as a hash',
    async () => {
      await setting.createWorkload('Deployment', 'web', { replicas: 3 });
      const app = await setting.applicationThat('deployment-web', 'runs', isRunning);
      expect(app.spec).toEqual({
        workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }],
        hooks: ['complete'],
        completeAction: 'delete',
        completeWhen: 'any',
        auth: 'token',
      });
      const secret = await setting.secret('deployment-web');
      const token = decode(secret?.data?.token);
      expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
      expect(app.status?.tokenSha256).toBe(sha256(token));
      expect(decode(secret?.data?.['ca-bundle.pem'])).toBe(bundle.pem());
      expect(secret?.metadata.ownerReferences).toEqual([
        expect.objectContaining({ kind: 'Application', uid: app.metadata.uid, controller: true }),
      ]);
      expect(JSON.stringify(replica.lines)).not.toContain(token);
      expect(JSON.stringify(app)).not.toContain(token);
      expect(await events('deployment-web')).not.toContain(token);
    },
    LONG_MS,
  );

  it(
    'is deleted with its ReplicaSet and pods once it said complete, and Events tell of it',
    async () => {
      const uid = (await setting.workload('Deployment', 'web'))?.metadata.uid;
      await waitFor('three pods', async () => {
        const { stdout } = await setting.controlPlane.kubectl([
          'get',
          'pods',
          '-n',
          NAMESPACE,
          '-l',
          'app=web',
          '-o',
          'name',
        ]);
        return stdout.trim().split('\n').length === 3 ? true : undefined;
      });
      await setting.signal('deployment-web');
      await setting.gone('Deployment', 'web');
      const app = await setting.applicationThat('deployment-web', 'is completed', isCompleted);
      expect(conditionOf(app, 'Completed')).toMatchObject({
        status: 'True',
        reason: 'DeletedByCompleteHook',
      });
      expect(app.status?.finishedAt).toBeDefined();
      await waitFor('ReplicaSets and pods to be gone', async () => {
        const { stdout } = await setting.controlPlane.kubectl([
          'get',
          'rs,pods',
          '-n',
          NAMESPACE,
          '-l',
          'app=web',
          '-o',
          'name',
        ]);
        return stdout.trim() === '' ? true : undefined;
      });
      // With the last pod the Secret goes; what was said may be repeated for as long as the Application is kept.
      expect(app.status?.tokenSha256).toBeDefined();
      await waitFor('the Secret to be gone', async () =>
        (await setting.secret('deployment-web')) === undefined ? true : undefined,
      );
      // An Event is written after what it tells of.
      await waitFor('the Events', async () => {
        const described = await events('deployment-web');
        const reasons = ['HooksEnabled', 'CompleteReceived', 'DeletedByCompleteHook', 'Completed'];
        return reasons.every((reason) => described.includes(reason)) ? true : undefined;
      });
      await replica.events.flush();
      const { stdout } = await setting.controlPlane.kubectl([
        'get',
        'events',
        '-n',
        NAMESPACE,
        `--field-selector=involvedObject.uid=${uid ?? ''}`,
        '-o',
        'jsonpath={.items[*].reason}',
      ]);
      for (const reason of ['HooksEnabled', 'CompleteReceived', 'DeletedByCompleteHook']) {
        expect(stdout.split(' ').filter((word) => word === reason)).toHaveLength(1);
      }
    },
    LONG_MS,
  );

  it.each<[WorkloadKind, string]>([
    ['StatefulSet', 'statefulset-db'],
    ['DaemonSet', 'daemonset-db'],
    ['ReplicaSet', 'replicaset-db'],
    ['ReplicationController', 'replicationcontroller-db'],
    ['Job', 'job-db'],
    ['Pod', 'pod-db'],
  ])(
    'deletes a %s',
    async (kind, application) => {
      await setting.createWorkload(kind, 'db');
      await setting.applicationThat(application, 'runs', isRunning);
      await setting.signal(application);
      await setting.gone(kind, 'db');
      await setting.applicationThat(application, 'is completed', isCompleted);
    },
    LONG_MS,
  );

  it.each<[WorkloadKind, string]>([
    ['Deployment', 'deployment-idle'],
    ['StatefulSet', 'statefulset-idle'],
    ['ReplicaSet', 'replicaset-idle'],
    ['ReplicationController', 'replicationcontroller-idle'],
    ['Job', 'job-idle'],
  ])(
    'scales a %s to zero, and it starts anew when its user scales it up',
    async (kind, application) => {
      const uid = await setting.createWorkload(kind, 'idle', { action: 'scale-to-zero' });
      const before = await setting.applicationThat(application, 'runs', isRunning);
      await setting.signal(application);
      const done = await setting.applicationThat(application, 'is completed', isCompleted);
      expect(conditionOf(done, 'Completed')).toMatchObject({ reason: 'ScaledToZero' });
      const found = (await setting.workload(kind, 'idle')) as
        { spec?: { replicas?: number; suspend?: boolean } } | undefined;
      if (kind === 'Job') expect(found?.spec?.suspend).toBe(true);
      else expect(found?.spec?.replicas).toBe(0);

      await setting.admin.patch(
        { resource: WORKLOAD_KINDS[kind], namespace: NAMESPACE, name: 'idle' },
        { type: 'merge', body: { spec: kind === 'Job' ? { suspend: false } : { replicas: 2 } } },
      );
      const again = await setting.applicationThat(application, 'runs again', isRunning);
      expect(again.status?.signals).toEqual({});
      expect(again.status?.finishedAt).toBeUndefined();
      expect(again.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
      expect((await setting.workload(kind, 'idle'))?.metadata.uid).toBe(uid);
    },
    LONG_MS,
  );

  it(
    'is left as it is with the action none',
    async () => {
      const uid = await setting.createWorkload('Deployment', 'keep', { action: 'none' });
      await setting.applicationThat('deployment-keep', 'runs', isRunning);
      await setting.signal('deployment-keep');
      const app = await setting.applicationThat('deployment-keep', 'is completed', isCompleted);
      expect(conditionOf(app, 'Completed')).toMatchObject({ status: 'True', reason: 'NoAction' });
      expect((await setting.workload('Deployment', 'keep'))?.metadata.uid).toBe(uid);
    },
    LONG_MS,
  );
});
