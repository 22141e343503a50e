import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS, type WorkloadKind } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  createBundle,
  startApplicationsSetting,
  type ApplicationsSetting,
} from './applications-setting.ts';

const START_MS = 600_000;
const LONG_MS = 300_000;
const bundle = createBundle('-----BEGIN CERTIFICATE-----\nfirst\n-----END CERTIFICATE-----\n');
let setting: ApplicationsSetting;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  await setting.replica({ bundle });
}, START_MS);
afterAll(async () => {
  await setting.stop();
}, LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';
const conditionOf = (app: Application, type: string) => app.status?.conditions?.find((c) => c.type === type);
const decode = (text = '') => Buffer.from(text, 'base64').toString();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** An Event is written after what it tells of. */
async function untilTold(name: string, what: string): Promise<void> {
  const ofIt = `--field-selector=involvedObject.kind=Application,involvedObject.name=${name}`;
  const list = [
    'get',
    'events',
    '-n',
    NAMESPACE,
    ofIt,
    '-o',
    'jsonpath={.items[*].reason} {.items[*].message}',
  ];
  await waitFor(`an Event of ${name} with ${what}`, async () =>
    (await setting.controlPlane.kubectl(list)).stdout.includes(what) ? true : undefined,
  );
}

async function annotate(kind: WorkloadKind, name: string, hooks: string | null): Promise<void> {
  await setting.admin.patch(
    { resource: WORKLOAD_KINDS[kind], namespace: NAMESPACE, name },
    { type: 'merge', body: { metadata: { annotations: { 'hooks.krake.dev/hooks': hooks } } } },
  );
}

describe('what a user or an accident changes of an application', () => {
  it(
    'loses its token at once when the annotation goes, and then its Application',
    async () => {
      await setting.createWorkload('Deployment', 'off', { replicas: 0 });
      await setting.applicationThat('deployment-off', 'runs', isRunning);
      await annotate('Deployment', 'off', null);
      await waitFor('the Application to be gone', async () =>
        (await setting.application('deployment-off')) === undefined ? true : undefined,
      );
      // The stamp was taken away, too: admission was not there to do it.
      const found = (await setting.workload('Deployment', 'off')) as
        { spec?: { template?: { metadata?: object } } } | undefined;
      expect(JSON.stringify(found?.spec?.template?.metadata)).not.toContain('hooks.krake.dev');
      await waitFor('the Secret to be gone', async () =>
        (await setting.secret('deployment-off')) === undefined ? true : undefined,
      );
    },
    LONG_MS,
  );

  it(
    'keeps its Secret, with a void token, while its pods live',
    async () => {
      // Without a rollout: the pods of a ReplicaSet stay.
      await setting.createWorkload('ReplicaSet', 'stay', { replicas: 1 });
      await setting.applicationThat('replicaset-stay', 'runs', isRunning);
      await waitFor('its pod', async () => {
        const { stdout } = await setting.controlPlane.kubectl([
          'get',
          'pods',
          '-n',
          NAMESPACE,
          '-l',
          'app=stay',
          '-o',
          'name',
        ]);
        return stdout.trim() === '' ? undefined : true;
      });
      await annotate('ReplicaSet', 'stay', null);
      const app = await setting.applicationThat(
        'replicaset-stay',
        'has no token',
        ({ status }) => status?.tokenSha256 === undefined,
      );
      expect(conditionOf(app, 'SecretReady')).toMatchObject({ status: 'False', reason: 'HooksDisabled' });
      expect(await setting.secret('replicaset-stay')).toBeDefined();
      await setting.controlPlane.kubectl(['scale', '-n', NAMESPACE, 'rs/stay', '--replicas=0']);
      await waitFor('the Application to be gone', async () =>
        (await setting.application('replicaset-stay')) === undefined ? true : undefined,
      );
    },
    LONG_MS,
  );

  it(
    'without its stamp gets it, and a stamped one that is asked for by its template alone is found through its pods',
    async () => {
      await setting.createWorkload('Deployment', 'late', { hooks: '' });
      await annotate('Deployment', 'late', 'complete');
      await setting.applicationThat('deployment-late', 'runs', isRunning);
      const found = (await setting.workload('Deployment', 'late')) as
        { spec?: { template?: { metadata?: { labels?: object } } } } | undefined;
      expect(found?.spec?.template?.metadata?.labels).toMatchObject({
        'hooks.krake.dev/application': 'deployment-late',
      });

      await setting.createWorkload('Deployment', 'templated', { template: true });
      const app = await setting.applicationThat('deployment-templated', 'runs', isRunning);
      expect(app.spec.workloads).toEqual([{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'templated' }]);
      await setting.signal('deployment-templated');
      await setting.gone('Deployment', 'templated');
    },
    LONG_MS,
  );

  it(
    'has its Secret back, with a new token, when somebody deletes or changes it',
    async () => {
      await setting.createWorkload('Deployment', 'robust', { replicas: 1 });
      const first = await setting.applicationThat('deployment-robust', 'runs', isRunning);
      await setting.controlPlane.kubectl([
        'delete',
        'secret',
        '-n',
        NAMESPACE,
        'krake-hooks-deployment-robust',
      ]);
      // Nobody may watch Secrets: the next pod is what makes the controller look.
      await setting.controlPlane.kubectl([
        'delete',
        'pod',
        '-n',
        NAMESPACE,
        '-l',
        'app=robust',
        '--wait=false',
      ]);
      const second = await setting.applicationThat(
        'deployment-robust',
        'has a new token',
        ({ status }) => status?.tokenSha256 !== first.status?.tokenSha256 && status?.phase === 'Running',
      );
      const secret = await waitFor('the Secret', () => setting.secret('deployment-robust'));
      expect(sha256(decode(secret.data?.token))).toBe(second.status?.tokenSha256);
      await untilTold('deployment-robust', 'SecretRepaired');
    },
    LONG_MS,
  );

  it(
    'gets a new CA bundle into its Secret, with the same token',
    async () => {
      const before = await setting.secret('deployment-robust');
      bundle.set('-----BEGIN CERTIFICATE-----\nsecond\n-----END CERTIFICATE-----\n');
      const after = await waitFor('the new bundle', async () => {
        const secret = await setting.secret('deployment-robust');
        return decode(secret?.data?.['ca-bundle.pem']) === bundle.pem() ? secret : undefined;
      });
      expect(after.data?.token).toBe(before?.data?.token);
    },
    LONG_MS,
  );

  it(
    'whose Application was deleted or changed by hand has it back',
    async () => {
      const first = await setting.application('deployment-robust');
      await setting.controlPlane.kubectl(['delete', 'application', '-n', NAMESPACE, 'deployment-robust']);
      const second = await setting.applicationThat(
        'deployment-robust',
        'is there again',
        (app) => isRunning(app) && app.metadata.uid !== first?.metadata.uid,
      );
      expect(sha256(decode((await setting.secret('deployment-robust'))?.data?.token))).toBe(
        second.status?.tokenSha256,
      );
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: 'deployment-robust' },
        { type: 'merge', body: { spec: { hooks: ['shutdown'], completeAction: 'none' } } },
      );
      await setting.applicationThat(
        'deployment-robust',
        'follows its annotations again',
        ({ spec }) => spec.hooks.join() === 'complete' && spec.completeAction === 'delete',
      );
    },
    LONG_MS,
  );

  it(
    'as a CronJob has its job template stamped, and each of its Jobs is an application',
    async () => {
      await setting.createWorkload('CronJob', 'nightly', { hooks: '' });
      await annotate('CronJob', 'nightly', 'complete');
      await waitFor('the stamp', async () => {
        const found = (await setting.workload('CronJob', 'nightly')) as
          { spec?: { jobTemplate?: { metadata?: { annotations?: object } } } } | undefined;
        const annotations = JSON.stringify(found?.spec?.jobTemplate?.metadata?.annotations ?? {});
        return annotations.includes('hooks.krake.dev/hooks') ? true : undefined;
      });
      const job = ['create', 'job', '-n', NAMESPACE, 'nightly-1', '--from=cronjob/nightly'];
      await setting.controlPlane.kubectl(job);
      await setting.applicationThat(
        'job-nightly-1',
        'is known',
        (app) => app.status?.tokenSha256 !== undefined,
      );
    },
    LONG_MS,
  );

  it(
    'as a Job that admission did not see cannot be repaired, and says so',
    async () => {
      await setting.createWorkload('Job', 'missed', { injected: false });
      const app = await setting.applicationThat(
        'job-missed',
        'complains',
        ({ status }) => status?.phase === 'Degraded',
      );
      expect(conditionOf(app, 'Stamped')).toMatchObject({ status: 'False', reason: 'NotInjected' });
      await untilTold('job-missed', 'delete it and create it again');
    },
    LONG_MS,
  );

  it(
    'leaves a Secret alone that somebody else made under its name, and says so',
    async () => {
      const name = 'krake-hooks-deployment-blocked';
      await setting.controlPlane.kubectl([
        'create',
        'secret',
        'generic',
        '-n',
        NAMESPACE,
        name,
        '--from-literal=mine=1',
      ]);
      await setting.createWorkload('Deployment', 'blocked', { replicas: 0 });
      const app = await setting.applicationThat(
        'deployment-blocked',
        'complains',
        ({ status }) => status?.phase === 'Degraded',
      );
      expect(conditionOf(app, 'SecretReady')).toMatchObject({ status: 'False', reason: 'ForeignSecret' });
      expect(app.status?.tokenSha256).toBeUndefined();
      expect(Object.keys((await setting.secret('deployment-blocked'))?.data ?? {})).toEqual(['mine']);
    },
    LONG_MS,
  );
});
