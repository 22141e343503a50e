import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { RecordedEvent } from '../../src/kube/index.ts';
import {
  createCaBundleKeeper,
  createServingCheck,
  readCaBundles,
  requestRotation,
  type CaBundleKeeper,
  type WebhookConfigurationRef,
} from '../../src/pki/index.ts';
import { issueCa } from '../../src/pki/issue-certificate.ts';
import type { WebhookConfiguration } from '../../src/pki/webhook-configuration.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createMemoryLogger } from '../unit/pki/fakes.ts';
import { NAMESPACE, startPkiSetting, TIMING, type PkiSetting, type Replica } from './pki-setting.ts';

jest.setTimeout(300_000);

const CONFIGURATIONS = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  plural: 'mutatingwebhookconfigurations',
} as const;
const mutating = (name: string): WebhookConfigurationRef => ({ kind: 'MutatingWebhookConfiguration', name });
const servername = 'hooks.krake-system.svc';
const never = new AbortController().signal;
let setting: PkiSetting;
let count = 0;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  setting = await startPkiSetting();
}, 600_000);
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(() => setting.stop());

/** A replica with its PKI running, and a name for a webhook configuration that nobody else uses. */
async function setUp(keepers = 1) {
  const name = `test-${count++}`;
  const replicas: (Replica & { keeper: CaBundleKeeper; keeperEvents: RecordedEvent[] })[] = [];
  for (let i = 0; i < keepers; i++) {
    const replica = setting.replica({ caSecretName: name, webhookConfigurations: [mutating(name)] });
    await replica.pki.start(never);
    const keeperEvents: RecordedEvent[] = [];
    const keeper = createCaBundleKeeper(
      {
        client: setting.client,
        trustBundle: replica.pki.trustBundle,
        logger: replica.logger,
        events: { record: (event) => keeperEvents.push(event) },
      },
      { webhookConfiguration: mutating(name), pollIntervalMs: 100 },
    );
    await keeper.start(never);
    stops.push(
      () => replica.stop(),
      () => keeper.stop(),
    );
    replicas.push({ ...replica, keeper, keeperEvents });
  }
  const [replica] = replicas;
  if (replica === undefined) throw new Error('no replica');
  return { name, replica, replicas };
}

async function createConfiguration(name: string, webhooks: readonly string[], caPem?: string): Promise<void> {
  await setting.client.create(CONFIGURATIONS, undefined, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: webhooks.map((webhook) => buildWebhook(webhook, caPem)),
  });
}

/** Asked for objects that nobody makes, so that other tests are not in its way. */
function buildWebhook(name: string, caPem: string | undefined) {
  const caBundle = caPem === undefined ? {} : { caBundle: Buffer.from(caPem).toString('base64') };
  return {
    name: `${name}.krake.dev`,
    clientConfig: { service: { namespace: NAMESPACE, name: 'hooks', path: `/${name}` }, ...caBundle },
    rules: [
      { apiGroups: ['none.test'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] },
    ],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
  };
}

async function readConfiguration(name: string): Promise<WebhookConfiguration> {
  const found = await setting.client.get<WebhookConfiguration>({ resource: CONFIGURATIONS, name });
  if (found === undefined) throw new Error(`${name} is gone`);
  return found;
}

async function waitForBundle(name: string, pem: () => string): Promise<void> {
  await waitFor('the caBundle', async () => {
    const bundles = await readCaBundles(setting.client, mutating(name));
    return bundles.length === 1 && bundles[0] === pem() ? true : undefined;
  });
}

describe('the caBundle keeper, on a real API server', () => {
  it('never makes the configuration, and fills each webhook of it once it is there', async () => {
    const { name, replica } = await setUp();
    const told = () => replica.logger.lines.filter(({ message }) => message.includes('no such webhook'));
    await waitFor('it to look', () => told()[0]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await setting.client.get({ resource: CONFIGURATIONS, name })).toBeUndefined();
    expect(replica.keeper.verified()).toBe(false);
    expect(told()).toHaveLength(1);
    await createConfiguration(name, ['a', 'b', 'c']);
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    await waitFor('it to know', () => (replica.keeper.verified() ? true : undefined));
    const { metadata, webhooks } = await readConfiguration(name);
    expect(webhooks?.map((webhook) => webhook.name)).toEqual(['a', 'b', 'c'].map((w) => `${w}.krake.dev`));
    expect(replica.keeperEvents).toMatchObject([
      { type: 'Normal', reason: 'CaBundleUpdated', regarding: { name, uid: metadata.uid } },
    ]);
  });

  it.each([
    [
      'changed',
      Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n').toString('base64'),
    ],
    ['removed', null],
  ])('puts back what is %s by hand, with an Event and a line in the log', async (_, value) => {
    const { name, replica } = await setUp();
    const other = await issueCa({ now: Date.now(), lifetimeMs: 60_000 });
    await createConfiguration(name, ['a', 'b'], other.cert);
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    await waitFor('it to know', () => (replica.keeper.verified() ? true : undefined));
    replica.keeperEvents.splice(0);
    const patch =
      value === null
        ? { op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }
        : {
            op: 'replace',
            path: '/webhooks/1/clientConfig/caBundle',
            value: Buffer.from(other.cert).toString('base64'),
          };
    await setting.client.patch({ resource: CONFIGURATIONS, name }, { type: 'json', body: [patch] });
    await waitFor('the repair', () => (replica.keeperEvents.length > 0 ? true : undefined));
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    expect(replica.keeperEvents).toMatchObject([{ type: 'Warning', reason: 'CaBundleRepaired' }]);
    expect(
      replica.logger.lines.filter(({ level, message }) => level === 'warn' && message.includes('put back')),
    ).toHaveLength(1);
  });

  it('follows rotations while others re-order and edit the webhooks all the time; the edits survive', async () => {
    const { name, replica } = await setUp(3);
    await createConfiguration(name, ['a', 'b', 'c']);
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    let edits = 0;
    for (let rotation = 0; rotation < 3 || edits <= 10; rotation++) {
      const before = replica.pki.trustBundle.pem();
      await requestRotation(setting.client, { namespace: NAMESPACE, caSecretName: name });
      await waitFor(
        'a rotation',
        async () => {
          edits += await reorder(name, edits + 1);
          return replica.pki.trustBundle.pem().startsWith(before) ? undefined : true;
        },
        { intervalMs: 50, timeoutMs: 90_000 },
      );
    }
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    const { webhooks, metadata } = await readConfiguration(name);
    expect(webhooks?.map((webhook) => webhook.name).sort()).toEqual(
      ['a', 'b', 'c'].map((w) => `${w}.krake.dev`),
    );
    expect(webhooks?.map((webhook) => webhook.clientConfig)).toEqual(
      webhooks?.map((webhook) => ({
        ...webhook.clientConfig,
        service: { namespace: NAMESPACE, name: 'hooks', path: `/${webhook.name.charAt(0)}`, port: 443 },
      })),
    );
    expect(metadata.annotations?.edits).toBe(String(edits));
  });
});

describe('a new CA', () => {
  it('does not sign while the webhook configuration does not trust it, however long it waits', async () => {
    const { name, replica } = await setUp();
    await createConfiguration(name, ['a', 'b']);
    await waitForBundle(name, () => replica.pki.trustBundle.pem());
    await replica.keeper.stop();
    const before = replica.pki.trustBundle.pem();
    await requestRotation(setting.client, { namespace: NAMESPACE, caSecretName: name });
    await waitFor('the next CA', () => (replica.pki.trustBundle.pem() === before ? undefined : true));
    const both = replica.pki.trustBundle.pem();
    await new Promise((resolve) => setTimeout(resolve, 5 * TIMING.trustDelayMs));
    expect(replica.pki.trustBundle.pem()).toBe(both);

    const caBundle = Buffer.from(both).toString('base64');
    const webhook = (index: number) => [
      { op: 'replace', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
    ];
    const ref = { resource: CONFIGURATIONS, name };
    await setting.client.patch(ref, { type: 'json', body: webhook(0) });
    await new Promise((resolve) => setTimeout(resolve, 5 * TIMING.trustDelayMs));
    expect(replica.pki.trustBundle.pem()).toBe(both); // only one of the two webhooks trusts it
    await setting.client.patch(ref, { type: 'json', body: webhook(1) });
    await waitFor('its promotion', () =>
      replica.pki.trustBundle.pem() === both.slice(before.length) + before ? true : undefined,
    );
  });
});

/** Someone's full replace of the configuration, last webhook first. @returns 1 when it was accepted, 0 when someone was faster */
async function reorder(name: string, edit: number): Promise<0 | 1> {
  const found = await readConfiguration(name);
  const webhooks = found.webhooks ?? [];
  const annotations = { ...found.metadata.annotations, edits: String(edit) };
  const changed = {
    ...found,
    metadata: { ...found.metadata, annotations },
    webhooks: [...webhooks.slice(-1), ...webhooks.slice(0, -1)],
  };
  try {
    await setting.client.replace({ resource: CONFIGURATIONS, name }, changed);
    return 1;
  } catch {
    return 0;
  }
}

describe('readiness by self-call', () => {
  it('is there only while the live webhook configuration has a caBundle that fits what is served', async () => {
    const name = `test-${count++}`;
    const replica = setting.replica({ caSecretName: name });
    const source = replica.pki.tlsSource({ dnsNames: [servername], ipAddresses: [] });
    await replica.pki.start(never);
    const server = createServer(source.current());
    source.onChange(() => server.setSecureContext(source.current()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const check = createServingCheck(
      { logger: createMemoryLogger(), caBundles: () => readCaBundles(setting.client, mutating(name)) },
      {
        listener: 'admission',
        host: '127.0.0.1',
        port: () => (server.address() as AddressInfo).port,
        servername,
        intervalMs: 50,
        retryIntervalMs: 50,
      },
    );
    await check.start(never);
    stops.push(
      () => replica.stop(),
      () => check.stop(),
      () => new Promise((resolve) => server.close(resolve)),
    );
    const untilRefusedFor = async (reason: string) => {
      await waitFor(reason, () => (check.reason() === reason ? true : undefined));
      expect(check.ready()).toBe(false);
    };
    await untilRefusedFor('no CA bundle is known, so nobody can call');
    const other = await issueCa({ now: Date.now(), lifetimeMs: 60_000 });
    await createConfiguration(name, ['a'], other.cert);
    await untilRefusedFor('no CA of the bundle has signed the certificate that is served');

    const keeper = createCaBundleKeeper(
      { client: setting.client, trustBundle: replica.pki.trustBundle, logger: replica.logger },
      { webhookConfiguration: mutating(name), pollIntervalMs: 100 },
    );
    await keeper.start(never);
    await waitFor('readiness', () => (check.ready() ? true : undefined));
    await keeper.stop();
    const caBundle = Buffer.from(other.cert).toString('base64');
    await setting.client.patch(
      { resource: CONFIGURATIONS, name },
      { type: 'json', body: [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }] },
    );
    await waitFor('the end of readiness', () => (check.ready() ? undefined : true));
  });
});
