import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createKubeClient,
  createReflector,
  type FullKubeClient,
  type KubeObject,
  type Reflector,
} from '../../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createRecordingLogger } from '../unit/kube/recording-logger.ts';
import { startCuttableProxy, type CuttableProxy } from './cuttable-proxy.ts';

const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' } as const;
const USER_AGENT = 'krake-hooks-test/1';

interface Kept {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** What onChange told, checked as it comes in: a mirror that is built of it alone must be the store. */
interface Witness {
  readonly mirror: Map<string, Kept>;
  readonly changes: string[];
  readonly faults: string[];
  readonly failures: string[];
  lists: number;
}

jest.setTimeout(300_000);
let controlPlane: ControlPlane;
let proxy: CuttableProxy;
/** Goes straight to the API server. */
let direct: FullKubeClient;
/** Goes by the proxy. */
let proxied: FullKubeClient;
let directory: string;
let namespace: string;
let namespaces = 0;
let reflector: Reflector<Kept> | undefined;

beforeAll(async () => {
  controlPlane = await startControlPlane();
  proxy = await startCuttableProxy(controlPlane.url);
  directory = await mkdtemp(join(tmpdir(), 'krake-hooks-sa-'));
  await writeFile(join(directory, 'token'), controlPlane.adminToken);
  await writeFile(join(directory, 'ca.crt'), controlPlane.caPem);
  direct = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: USER_AGENT });
  proxied = createKubeClient({
    serviceAccountDirectory: directory,
    inClusterUrl: proxy.url,
    userAgent: USER_AGENT,
    requestTimeoutMs: 3_000,
  });
}, 600_000);

afterAll(async () => {
  await proxy.stop();
  await controlPlane.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  namespace = `reflected-${namespaces++}`;
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await direct.create({ apiVersion: 'v1', plural: 'namespaces' }, undefined, object);
});

afterEach(async () => {
  proxy.open();
  await reflector?.stop();
});

const create = async (name: string, labels: Record<string, string> = { kept: 'yes' }): Promise<KubeObject> =>
  await direct.create(CONFIG_MAPS, namespace, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels },
  });
const relabel = (name: string, labels: Record<string, string>) =>
  direct.patch({ resource: CONFIG_MAPS, namespace, name }, { type: 'merge', body: { metadata: { labels } } });
const remove = async (name: string): Promise<void> => {
  const ref = { resource: CONFIG_MAPS, namespace, name };
  const object = await direct.get(ref);
  if (object !== undefined) await direct.delete(ref, { uid: object.metadata.uid ?? '' });
};

async function startReflector(options: { idleTimeoutMs?: number } = {}): Promise<Witness> {
  const witness: Witness = { mirror: new Map(), changes: [], faults: [], failures: [], lists: 0 };
  reflector = createReflector<Kept>({
    client: proxied,
    resource: CONFIG_MAPS,
    namespace,
    metadataOnly: true,
    logger: createRecordingLogger(),
    ...options,
    project: ({ metadata: { uid, resourceVersion, labels } }) =>
      labels?.kept === 'yes' ? { uid: uid ?? '', resourceVersion: resourceVersion ?? '' } : undefined,
    onChange: (key, before, after) => {
      const known = witness.mirror.get(key);
      if (known?.resourceVersion !== before?.resourceVersion) witness.faults.push(`${key}: wrong before`);
      const older =
        known !== undefined &&
        after !== undefined &&
        BigInt(after.resourceVersion) <= BigInt(known.resourceVersion);
      if (older) witness.faults.push(`${key}: went back in time`);
      witness.changes.push(
        `${key.replace(`${namespace}/`, '')} ${before === undefined ? 'new' : after === undefined ? 'gone' : 'changed'}`,
      );
      if (after === undefined) witness.mirror.delete(key);
      else witness.mirror.set(key, after);
    },
    metrics: {
      listed: () => {
        witness.lists += 1;
      },
      failed: (_, reason) => void witness.failures.push(reason),
      handlerFailed: () => void witness.faults.push('a handler threw'),
    },
  });
  await reflector.start(new AbortController().signal);
  await synced();
  return witness;
}

/** The store equals what a list says now. */
const synced = (timeoutMs = 30_000): Promise<true> =>
  waitFor(
    'the store to be what the API server has',
    async () => {
      const { items } = await direct.list(CONFIG_MAPS, namespace, { labelSelector: 'kept=yes' });
      const expected = items.map(
        ({ metadata }) => `${namespace}/${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`,
      );
      const actual = [...(reflector?.store ?? [])].map(
        ([key, { uid, resourceVersion }]) => `${key} ${uid} ${resourceVersion}`,
      );
      return reflector?.connected() === true && expected.sort().join() === actual.sort().join()
        ? true
        : undefined;
    },
    { timeoutMs, intervalMs: 20 },
  );

function expectTrue(witness: Witness): void {
  expect(witness.faults).toEqual([]);
  expect(witness.mirror).toEqual(reflector?.store);
}

describe('reflector', () => {
  it('follows what is created, changed, deleted, and what is no longer of interest', async () => {
    await create('first');
    const witness = await startReflector();
    expect(witness.changes).toEqual(['first new']);
    expect(reflector?.ready()).toBe(true);
    await create('second');
    await relabel('first', { kept: 'yes', more: '1' });
    await create('ignored', {});
    await relabel('second', { kept: 'no' });
    await remove('first');
    await create('last');
    await synced();
    expect(witness.changes).toEqual([
      'first new',
      'second new',
      'first changed',
      'second gone',
      'first gone',
      'last new',
    ]);
    expectTrue(witness);
  });

  it('resumes a cut watch where it was: no new list', async () => {
    await create('a');
    const witness = await startReflector();
    expect(proxy.cut()).toBeGreaterThan(0);
    await remove('a');
    await create('b');
    await synced();
    expect(witness.changes).toEqual(['a new', 'a gone', 'b new']);
    expect(witness.lists).toBe(1);
    expect(witness.failures).toContain('Unreachable');
    expectTrue(witness);
  });

  it('notices a connection that is dead without a word', async () => {
    const witness = await startReflector({ idleTimeoutMs: 1_000 });
    proxy.freeze();
    await create('a');
    await waitFor('the loss to be noticed', () => (reflector?.connected() === false ? true : undefined));
    proxy.open();
    await synced();
    expect(witness.changes).toEqual(['a new']);
    expectTrue(witness);
  });

  it('lists again when the watch is too old (410), and finds what was deleted, replaced and created meanwhile', async () => {
    if (!controlPlane.capabilities.restart)
      throw new Error('this test needs a control plane that it may restart');
    await create('stays');
    await create('goes');
    await create('is-replaced');
    const witness = await startReflector();
    proxy.refuse();
    await remove('goes');
    await remove('is-replaced');
    await create('is-replaced');
    await create('comes');
    // A new API server's cache has no history: a watch from before its start is refused with 410.
    await controlPlane.killApiserver();
    await controlPlane.startApiserver();
    proxy.open();
    await synced();
    expect(witness.failures.filter((reason) => reason === 'Expired' || reason === 'Gone')).toHaveLength(1);
    expect(witness.lists).toBe(2);
    expect(witness.changes.slice(0, 3).sort()).toEqual(['goes new', 'is-replaced new', 'stays new']);
    expect(witness.changes.slice(3).sort()).toEqual(['comes new', 'goes gone', 'is-replaced changed']);
    expectTrue(witness);
  }, 300_000);

  it.each(['killed', 'stopped'] as const)(
    'outlives an API server that is %s and comes back',
    async (how) => {
      if (!controlPlane.capabilities.restart)
        throw new Error('this test needs a control plane that it may restart');
      await create('a');
      const witness = await startReflector();
      if (how === 'killed') await controlPlane.killApiserver();
      else await controlPlane.stopApiserver();
      await waitFor('the loss to be noticed', () => (reflector?.connected() === false ? true : undefined));
      expect(reflector?.ready()).toBe(true);
      expect(reflector?.store.size).toBe(1);
      await controlPlane.startApiserver();
      await remove('a');
      await create('b');
      await synced();
      // A watch tells them in their order; a list, if the watch was too old, tells deletions last.
      expect(witness.changes.toSorted()).toEqual(['a gone', 'a new', 'b new']);
      expectTrue(witness);
    },
    180_000,
  );

  it('misses nothing of 600 changes and more while its connections are cut all the time', async () => {
    const witness = await startReflector();
    let cuts = 0;
    let rounds = 0;
    const cutting = setInterval(() => (cuts += Math.sign(proxy.cut())), 60);
    try {
      const names = Array.from({ length: 50 }, (_, i) => `c-${i}`);
      // How often the reflector is connected again to be cut depends on the machine; so many cuts there have to be.
      const endAt = Date.now() + 90_000;
      for (; rounds < 3 || (cuts <= 5 && Date.now() < endAt); rounds++) {
        const round = rounds;
        for (const name of names) await create(name);
        for (const name of names) await relabel(name, { kept: 'yes', round: String(round) });
        for (const name of names.filter((_, i) => i % 2 === 0)) await remove(name);
        for (const name of names.filter((_, i) => i % 2 === 1)) await relabel(name, { kept: 'no' });
        for (const name of names.filter((_, i) => i % 2 === 1)) await remove(name);
        await create(`mark-${round}`);
      }
    } finally {
      clearInterval(cutting);
    }
    await synced();
    expect(cuts).toBeGreaterThan(5);
    expect([...(reflector?.store.keys() ?? [])].sort()).toEqual(
      Array.from({ length: rounds }, (_, i) => `${namespace}/mark-${i}`).sort(),
    );
    expectTrue(witness);
  }, 300_000);

  it('lists page by page and stops for good', async () => {
    for (let i = 0; i < 1_100; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => create(`many-${i + j}`)));
    }
    const witness = await startReflector();
    expect(reflector?.store.size).toBe(1_100);
    expectTrue(witness);
    await reflector?.stop();
    expect(reflector?.connected()).toBe(false);
    await create('too-late');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(reflector?.get(`${namespace}/too-late`)).toBeUndefined();
  }, 300_000);
});
