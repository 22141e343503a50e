import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { createOutbound } from '../../src/cli/outbound.ts';
import { createShutdownCaller } from '../../src/cli/shutdown-caller.ts';
import { configSchema } from '../../src/config/index.ts';
import {
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import { createMetrics } from '../../src/observability/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createTestServers, type TestServer } from '../unit/outbound/caller-setting.ts';
import {
  NAMESPACE as HOSTILE,
  createRecordingLogger,
  startApplicationsSetting,
  type ApplicationsSetting,
} from './applications-setting.ts';
import { buildWorkload } from './applications-workloads.ts';

// Places for calls that many silent pods of one namespace would all take, through the controller and the caller as the service makes them, with the
// service's own limits in small.

const START_MS = 600_000;
const LONG_MS = 300_000;
const SOON = { timeoutMs: 120_000, intervalMs: 20 };
const ADDRESS = '127.0.0.1';
const OTHER = 'bank';
const TIMEOUT_S = 45;
const PLACES = 40;
/** Of two silent applications: together more than all places. */
const SILENT_PODS = 24;
/** Half of the places may be a namespace's. */
const NAMESPACE_PLACES = PLACES / 2;

let setting: ApplicationsSetting;
let silent: TestServer;
let goodPort = 0;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  setting = await startApplicationsSetting();
  stops.push(() => setting.stop());
  const servers = createTestServers();
  stops.push(() => servers.stopAll());
  silent = await servers.silent();
  const good = await servers.http((socket, request) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    const body = request.slice(request.indexOf('\r\n\r\n') + 4);
    const who = JSON.parse(body) as { namespace: string; application: string };
    void waitFor('the goodbye', () => confirm(who).then(() => true)).catch(() => undefined);
  });
  goodPort = good.port;
  await setting.admin.create({ apiVersion: 'v1', plural: 'namespaces' }, undefined, {
    metadata: { name: OTHER, labels: { 'hooks.krake.dev/enabled': 'true' } },
  });
  const client = setting.controllerClient();
  const { outbound } = configSchema.parse({
    outbound: { connectTimeout: '30s', maxConcurrentCalls: PLACES, allowCidrs: [`${ADDRESS}/32`] },
  });
  const caller = createOutbound(
    { client, logger: createRecordingLogger([]), metrics: createMetrics() },
    outbound,
  );
  stops.push(() => caller.close());
  const noPodIdentity = () => Promise.reject(new Error('all applications have a token here'));
  const callShutdown = createShutdownCaller(caller, noPodIdentity, outbound, Date.now);
  await setting.replica({ client, callShutdown });
  stops.push(() => setting.stopReplicas());
}, START_MS);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, LONG_MS);

/** Stores a goodbye as callbacks do. */
async function confirm({
  namespace,
  application,
}: {
  namespace: string;
  application: string;
}): Promise<void> {
  const ref = { resource: APPLICATIONS, namespace, name: application, subresource: 'status' } as const;
  const value = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  const path = '/status/shutdown/conversations/0/pods/0/confirmation';
  await setting.admin.patch(ref, { type: 'json', body: [{ op: 'add', path, value }] });
}

/** A Deployment with pods that run, asked themselves at this port, and held. */
async function begin(namespace: string, name: string, replicas: number, port: number): Promise<void> {
  const annotations = {
    [ANNOTATION_SHUTDOWN_SERVICE]: `pod:${port}/shutdown`,
    [ANNOTATION_SHUTDOWN_TIMEOUT]: `${TIMEOUT_S}s`,
  };
  const workload = buildWorkload('Deployment', name, namespace, { hooks: 'shutdown', annotations, replicas });
  await setting.admin.create(WORKLOAD_KINDS.Deployment, namespace, workload);
  const labelSelector = `${LABEL_APPLICATION}=deployment-${name}`;
  const pods = await waitFor(
    `the pods of ${name}`,
    async () => {
      const { items } = await setting.admin.list(WORKLOAD_KINDS.Pod, namespace, { labelSelector });
      return items.length === replicas ? items : undefined;
    },
    SOON,
  );
  const status = { phase: 'Running', podIP: ADDRESS, podIPs: [{ ip: ADDRESS }] };
  for (const { metadata } of pods) {
    const ref = { resource: WORKLOAD_KINDS.Pod, namespace, name: metadata.name ?? '' };
    await setting.admin.patch({ ...ref, subresource: 'status' }, { type: 'merge', body: { status } });
  }
  const isHeld = async () => {
    const app = await setting.admin.get({ resource: APPLICATIONS, namespace, name: `deployment-${name}` });
    const found = [await getDeployment(namespace, name), app];
    return found.every((object) => object?.metadata.finalizers?.includes(FINALIZER_SHUTDOWN)) || undefined;
  };
  await waitFor(`${name} to be held`, isHeld, SOON);
}

const getDeployment = (namespace: string, name: string) =>
  setting.admin.get({ resource: WORKLOAD_KINDS.Deployment, namespace, name });

async function remove(namespace: string, name: string): Promise<void> {
  const uid = (await getDeployment(namespace, name))?.metadata.uid ?? '';
  const ref = { resource: WORKLOAD_KINDS.Deployment, namespace, name };
  await setting.admin.delete(ref, { uid, propagationPolicy: 'Background' });
}

/** From its deletion to its end. */
async function timeOf(namespace: string, name: string): Promise<number> {
  const startedAt = performance.now();
  await remove(namespace, name);
  await waitFor(
    `${name} to be gone`,
    async () => (await getDeployment(namespace, name)) === undefined || undefined,
    SOON,
  );
  return performance.now() - startedAt;
}

describe('many silent pods of one namespace', () => {
  it(
    'take the places of their namespace, and nobody else waits for them',
    async () => {
      for (const name of ['silent-a', 'silent-b']) await begin(HOSTILE, name, SILENT_PODS, silent.port);
      await begin(OTHER, 'elsewhere', 1, goodPort);
      await begin(HOSTILE, 'beside', 1, goodPort);

      for (const name of ['silent-a', 'silent-b']) await remove(HOSTILE, name);
      for (const name of ['silent-a', 'silent-b'])
        await setting.applicationThat(`deployment-${name}`, 'is asked', (app) => asksOf(app) === SILENT_PODS);
      // An application half of its namespace's places, the next half of what is left.
      const held = NAMESPACE_PLACES / 2 + Math.floor(NAMESPACE_PLACES / 4);
      await waitFor('their calls', () => Promise.resolve(silent.open() >= held || undefined), SOON);

      const elsewhere = await timeOf(OTHER, 'elsewhere');
      const beside = await timeOf(HOSTILE, 'beside');
      process.stderr.write(
        `beside ${silent.open()} silent calls: elsewhere ${Math.round(elsewhere)} ms, in the same namespace ${Math.round(beside)} ms\n`,
      );
      // Nobody has answered or been given up meanwhile: it is the same calls that hold their places.
      expect(silent.open()).toBe(held);
      expect(silent.connections()).toBe(held);
      expect(Math.max(elsewhere, beside)).toBeLessThan((TIMEOUT_S * 1_000) / 2);

      // The end of the round ends the calls, which have no other limit.
      for (const name of ['silent-a', 'silent-b'])
        await waitFor(
          `${name} to be gone`,
          async () => (await getDeployment(HOSTILE, name)) === undefined || undefined,
          SOON,
        );
      await silent.allClosed();
    },
    LONG_MS,
  );
});

const asksOf = ({ status }: Application): number =>
  (status?.shutdown?.conversations ?? []).flatMap(({ pods }) => pods).filter(({ ask }) => ask !== undefined)
    .length;
