import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { ANNOTATION_AUTH, FINALIZER_SHUTDOWN, WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { fileOf, startIssuer, untilAnswered, writeRequest, type TestIssuer } from './applications-issuer.ts';
import { NAMESPACE, startApplicationsSetting, type ApplicationsSetting } from './applications-setting.ts';

const LONG_MS = 300_000;
const SOON = { timeoutMs: 30_000, intervalMs: 20 };
let setting: ApplicationsSetting;
let issuer: TestIssuer;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  issuer = await startIssuer(setting.controlPlane, 'signing');
}, 600_000);
afterEach(() => setting.stopReplicas());
afterAll(async () => {
  await issuer.stop();
  await setting.stop();
}, LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';

describe('auth', () => {
  it(
    'pod-identity takes token and certificate away, token brings them back; signals stay',
    async () => {
      await setting.replica({ certificates: issuer });
      await setting.createWorkload('Deployment', 'switch', { replicas: 0 });
      const before = await setting.applicationThat('deployment-switch', 'runs', isRunning);
      const annotate = (auth: string | null) =>
        setting.admin.patch(
          { resource: WORKLOAD_KINDS.Deployment, namespace: NAMESPACE, name: 'switch' },
          { type: 'merge', body: { metadata: { annotations: { [ANNOTATION_AUTH]: auth } } } },
        );
      await annotate('pod-identity');
      await waitFor(
        'the Secret to have the CA bundle alone',
        async () => {
          const keys = Object.keys((await setting.secret('deployment-switch'))?.data ?? {});
          return keys.join() === 'ca-bundle.pem' ? true : undefined;
        },
        SOON,
      );
      const bare = await setting.applicationThat(
        'deployment-switch',
        'says so',
        ({ status }) => status?.conditions?.some(({ reason }) => reason === 'CaBundleWritten') === true,
      );
      expect(bare.spec.auth).toBe('pod-identity');
      expect(bare.status).not.toHaveProperty('tokenSha256');
      expect(bare.status).not.toHaveProperty('certificates');
      expect(bare.status).not.toHaveProperty('formerTokens');
      expect(bare.status?.phase).toBe('Running');

      const word = { receivedAt: new Date().toISOString(), provenBy: 'pod-identity' };
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: 'deployment-switch', subresource: 'status' },
        { type: 'merge', body: { status: { signals: { completeFrom: { 'pod-1': word } } } } },
      );
      await annotate(null);
      const after = await untilAnswered(setting, 'switch');
      expect(after.status?.tokenSha256).toBeDefined();
      expect(after.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
      expect(after.status?.signals?.completeFrom).toHaveProperty('pod-1');
      expect(after.metadata.uid).toBe(before.metadata.uid);
    },
    LONG_MS,
  );

  it(
    'pod-identity from the beginning: a Secret without a secret, and a Secret that is deleted comes back',
    async () => {
      await setting.replica({ certificates: issuer, resyncIntervalMs: 500 });
      const uid = await setting.createWorkload('Deployment', 'bare', {
        replicas: 0,
        annotations: { [ANNOTATION_AUTH]: 'pod-identity' },
      });
      const app = await setting.applicationThat('deployment-bare', 'runs', isRunning);
      expect(app.status).not.toHaveProperty('tokenSha256');
      const found = await setting.secret('deployment-bare');
      expect(Object.keys(found?.data ?? {})).toEqual(['ca-bundle.pem']);
      expect(fileOf(found, 'ca-bundle.pem')).toContain(issuer.chainPem());
      const name = 'krake-hooks-deployment-bare';
      await setting.admin.delete(
        { resource: { apiVersion: 'v1', plural: 'secrets' }, namespace: NAMESPACE, name },
        { uid: found?.metadata.uid ?? '' },
      );
      await waitFor(
        'the Secret to come back',
        async () => ((await setting.secret('deployment-bare')) === undefined ? undefined : true),
        SOON,
      );
      await setting.admin.delete(
        { resource: WORKLOAD_KINDS.Deployment, namespace: NAMESPACE, name: 'bare' },
        { uid },
      );
      await setting.applicationThat(
        'deployment-bare',
        'is over',
        ({ status }) => status?.phase === 'Completed',
      );
    },
    LONG_MS,
  );

  it(
    'pod-identity is asked to shut down without a signature, and its Secret stays until the goodbye',
    async () => {
      const keys: (Buffer | undefined)[] = [];
      await setting.admin.create({ apiVersion: 'v1', plural: 'services' }, NAMESPACE, {
        metadata: { name: 'shutdown' },
        spec: { selector: { app: 'bye' }, ports: [{ port: 80 }] },
      });
      await setting.replica({
        certificates: issuer,
        callShutdown: ({ key }) => {
          keys.push(key);
          return Promise.resolve({ accepted: true });
        },
      });
      const uid = await setting.createWorkload('Deployment', 'bye', {
        hooks: 'complete,shutdown',
        annotations: { [ANNOTATION_AUTH]: 'pod-identity' },
      });
      await setting.runningPod('deployment-bye');
      await setting.applicationThat('deployment-bye', 'runs', isRunning);
      await setting.admin.delete(
        { resource: WORKLOAD_KINDS.Deployment, namespace: NAMESPACE, name: 'bye' },
        { uid },
      );
      await setting.applicationThat('deployment-bye', 'was asked', ({ status }) =>
        (status?.shutdown?.conversations ?? []).some(({ ask }) => ask?.acceptedAt !== undefined),
      );
      expect(keys).toEqual([undefined]);
      const held = await setting.secret('deployment-bye');
      expect(held?.metadata.finalizers).toEqual([FINALIZER_SHUTDOWN]);
      await writeRequest(setting, 'bye', 'release');
      await setting.gone('Deployment', 'bye');
    },
    LONG_MS,
  );
});
