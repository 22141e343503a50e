import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { KubeObject } from '../../src/kube/index.ts';
import { readCaBundles, requestRotation } from '../../src/pki/index.ts';
import { parseCaSecret } from '../../src/pki/ca-secret.ts';
import type { CaState } from '../../src/pki/ca-state.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  put,
  startLoad,
  startReplicaProcess,
  type ReplicaLine,
  type ReplicaProcess,
} from './pki-rotation-load.ts';
import { NAMESPACE, startPkiSetting, type PkiSetting } from './pki-setting.ts';

jest.setTimeout(600_000);

const ROTATIONS = 100;
const CA_SECRET = 'krake-hooks-ca';
const WEBHOOKS = 'krake-hooks';
const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' } as const;
// 1.6 s: clients see a new bundle after about 200 ms, later on a busy machine; minutes are this in the small. A third of a leaf's life is left
// when it is renewed: longer than such a machine pauses.
const STALE_MS = 800;
const TIMES = { caLifetimeMs: 60_000, leafLifetimeMs: 8_000, trustDelayMs: 1_600 };

let setting: PkiSetting;
const processes = new Set<ReplicaProcess>();

beforeAll(async () => {
  setting = await startPkiSetting();
}, 600_000);
afterAll(async () => {
  for (const replica of processes) await replica.kill();
  await setting.stop();
});

async function startReplica(
  role: 'serving' | 'worker',
  closesConnections: boolean,
  onLine: (line: ReplicaLine, replica: ReplicaProcess) => void,
): Promise<ReplicaProcess> {
  const replica = await startReplicaProcess(
    {
      role,
      closesConnections,
      kubeconfigPath: setting.controlPlane.kubeconfig,
      namespace: NAMESPACE,
      caSecretName: CA_SECRET,
      webhookConfigurationName: WEBHOOKS,
      pollIntervalMs: role === 'worker' ? 60 : 400, // so that the workers, which get killed, do most of the steps
      ...TIMES,
    },
    onLine,
  );
  processes.add(replica);
  return replica;
}

/** Both listeners are asked about each ConfigMap of the namespace, and must answer. */
async function registerWebhooks(ports: readonly number[]): Promise<void> {
  const webhooks = ports.map((port, index) => ({
    name: `w${index}.krake.dev`,
    clientConfig: { url: `https://127.0.0.1:${port}/review` },
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'load' } },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
    failurePolicy: 'Fail',
    timeoutSeconds: 30,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
  }));
  const resource = { apiVersion: 'admissionregistration.k8s.io/v1', plural: 'mutatingwebhookconfigurations' };
  await setting.client.create(resource, undefined, {
    apiVersion: resource.apiVersion,
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: WEBHOOKS },
    webhooks,
  });
  await waitFor('the caBundle', async () =>
    (await readCaBundles(setting.client, { kind: 'MutatingWebhookConfiguration', name: WEBHOOKS })).join(
      '',
    ) === ''
      ? undefined
      : true,
  );
  await sleep(1_000); // the API server's own watch of webhook configurations
  await waitFor('the webhooks to be called', () =>
    setting.client.create(
      CONFIG_MAPS,
      'load',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'x-' } },
      { dryRun: true },
    ),
  );
}

async function readState(): Promise<CaState> {
  return parseCaSecret((await setting.readSecret(CA_SECRET)) ?? { metadata: {} }).state;
}

async function readPublishedBundle(): Promise<string> {
  const ref = { resource: CONFIG_MAPS, namespace: NAMESPACE, name: 'app-bundle' };
  const found = await setting.client.get<KubeObject & { data?: Record<string, string> }>(ref);
  return found?.data?.['ca-bundle.pem'] ?? '';
}

interface ReadBundle {
  readonly pem: string;
  readonly readAt: number;
}

async function readBundle(): Promise<ReadBundle> {
  const readAt = performance.now();
  return { pem: await readPublishedBundle(), readAt };
}

function isUntrusted(error: unknown): boolean {
  const { code = '' } = error as { readonly code?: string };
  return /CERT|VERIFY/.test(code);
}

/** Two workers that do most of the rotation; the one that has just done a step is killed in the middle of it, again and again. */
async function startMortalWorkers(everySteps: number) {
  const alive = new Set<ReplicaProcess>();
  const counts = { steps: 0, kills: 0 };
  let isStopped = false;
  let restarting: Promise<void> = Promise.resolve();

  const onLine = (line: ReplicaLine, replica: ReplicaProcess): void => {
    if (line.message !== 'CA rotation step') return;
    counts.steps++;
    if (isStopped || alive.size < 2 || counts.steps % everySteps !== 0) return;
    counts.kills++;
    const [victim] = [...alive].filter((each) => each.child.pid === replica.child.pid);
    if (victim === undefined) return;
    alive.delete(victim);
    processes.delete(victim);
    restarting = victim.kill().then(start);
  };
  async function start(): Promise<void> {
    alive.add(await startReplica('worker', false, onLine));
  }
  await start();
  await start();
  return {
    counts,
    async stop() {
      isStopped = true;
      await restarting;
    },
  };
}

describe('rotation under load', () => {
  it(`${ROTATIONS} times, with the worker killed that does it: no request of the API server or of an application fails`, async () => {
    await setting.controlPlane.kubectl(['create', 'namespace', 'load']);
    const servers = [
      await startReplica('serving', true, () => undefined),
      await startReplica('serving', false, () => undefined),
    ];
    const ports = servers.map(({ port }) => port);
    const workers = await startMortalWorkers(7);
    await registerWebhooks(ports);

    let bundle = await waitFor('the published bundle', async () => {
      const read = await readBundle();
      return read.pem === '' ? undefined : read;
    });
    const issuers = new Set<string>();
    const kubelet = startLoad(1, 100, async () => {
      bundle = await readBundle();
    });
    const admissions = startLoad(3, 10, async () => {
      await setting.client.create(CONFIG_MAPS, 'load', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { generateName: 'x-' },
      });
    });
    let turn = 0;
    const callbacks = startLoad(3, 10, async () => {
      const port = ports[turn++ % ports.length] ?? 0;
      const used = bundle;
      try {
        issuers.add(await put(port, used.pem));
      } catch (error) {
        // This process stood still for nearly as long as a bundle is published before its CA signs: that a kubelet never does.
        if (!isUntrusted(error) || performance.now() - used.readAt < STALE_MS) throw error;
        issuers.add(await put(port, (await readBundle()).pem));
      }
    });

    const began = Date.now();
    const cas = new Set<string>();
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      const before = (await readState()).current?.cert ?? '';
      cas.add(before);
      await requestRotation(setting.client, { namespace: NAMESPACE, caSecretName: CA_SECRET });
      await waitFor(
        `rotation ${rotation + 1}`,
        async () => ((await readState()).current?.cert === before ? undefined : true),
        { intervalMs: 40 },
      );
    }
    await sleep(1_000); // the last CA serves as well
    const seconds = Math.round((Date.now() - began) / 1_000);
    for (const load of [admissions, callbacks, kubelet]) await load.stop();
    await workers.stop();
    console.log(
      `${ROTATIONS} rotations in ${seconds} s: ${admissions.count()} admissions x ${ports.length} listeners and ` +
        `${callbacks.count()} callbacks under ${issuers.size} CAs; ${workers.counts.kills} workers killed, ` +
        `${workers.counts.steps} steps done by workers`,
    );

    for (const { failures } of [admissions, callbacks, kubelet]) {
      expect({ failed: failures.length, first: failures.slice(0, 5) }).toEqual({ failed: 0, first: [] });
    }
    expect(cas.size).toBe(ROTATIONS);
    expect(issuers.size).toBeGreaterThan(ROTATIONS * 0.9);
    expect(workers.counts.kills).toBeGreaterThan(10);
    expect(admissions.count()).toBeGreaterThan(ROTATIONS * 10);
    expect(callbacks.count()).toBeGreaterThan(ROTATIONS * 10);
    for (const server of servers) expect(server.child.exitCode).toBeNull();
  });
});
