import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createKubeClient,
  isConflict,
  KubeApiError,
  KubeUnreachableError,
  type FullKubeClient,
  type KubeObject,
  type WatchEvent,
} from '../../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { findFreePort } from '../cluster/free-port.ts';

const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' } as const;
const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;
const DEPLOYMENTS = { apiVersion: 'apps/v1', plural: 'deployments' } as const;
const CANARY = 'Y2FuYXJ5LXNlY3JldA';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

jest.setTimeout(300_000);
let controlPlane: ControlPlane;
let client: FullKubeClient;

beforeAll(async () => {
  controlPlane = await startControlPlane();
  client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'krake-hooks-test/1' });
}, 600_000);

afterAll(async () => {
  client.close();
  await controlPlane.stop();
});

const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { test: name.replace(/-\d+$/, '') } },
  data,
});
const ref = (name: string) => ({ resource: CONFIG_MAPS, namespace: 'default', name });

async function caught(action: Promise<unknown>): Promise<unknown> {
  try {
    await action;
  } catch (error) {
    return error;
  }
  throw new Error('should have been rejected');
}

describe('objects', () => {
  it('are created, read, replaced, patched and deleted', async () => {
    expect(await client.get(ref('life'))).toBeUndefined();
    const created = await client.create<ConfigMap>(CONFIG_MAPS, 'default', configMap('life', { a: '1' }));
    expect(created.metadata.uid).toMatch(/-/);

    const replaced = await client.replace<ConfigMap>(ref('life'), { ...created, data: { a: '2' } });
    expect(replaced.data).toEqual({ a: '2' });
    // `created` carries the resourceVersion of before.
    expect(isConflict(await caught(client.replace(ref('life'), created)))).toBe(true);

    const merged = await client.patch<ConfigMap>(ref('life'), { type: 'merge', body: { data: { b: '1' } } });
    expect(merged.data).toEqual({ a: '2', b: '1' });
    const test = { op: 'test', path: '/data/a', value: '2' };
    const add = { op: 'add', path: '/data/c', value: '3' };
    const patched = await client.patch<ConfigMap>(ref('life'), { type: 'json', body: [test, add] });
    expect(patched.data).toEqual({ a: '2', b: '1', c: '3' });

    const uid = created.metadata.uid ?? '';
    const refused = await caught(client.delete(ref('life'), { uid: 'another-uid' }));
    expect(refused).toMatchObject({ status: 409, reason: 'Conflict' });
    expect(await client.delete(ref('life'), { uid })).toBe(true);
    expect(await client.delete(ref('life'), { uid })).toBe(false);
  });

  it('are left alone by a dry run', async () => {
    const dry = await client.create(CONFIG_MAPS, 'default', configMap('dry'), { dryRun: true });
    expect(dry.metadata.uid).toBeDefined();
    expect(await client.get(ref('dry'))).toBeUndefined();

    const { metadata } = await client.create(CONFIG_MAPS, 'default', configMap('dry'));
    expect(await client.delete(ref('dry'), { uid: metadata.uid ?? '', dryRun: true })).toBe(true);
    expect(await client.get(ref('dry'))).toBeDefined();
  });

  it('are applied server-side, each manager with the fields that it names', async () => {
    const object = configMap('applied', { ours: '1' });
    await client.patch(ref('applied'), { type: 'apply', body: object, fieldManager: 'one' });
    await client.patch(
      ref('applied'),
      { type: 'merge', body: { data: { theirs: '1' } } },
      { fieldManager: 'two' },
    );
    const taken = { ...object, data: { theirs: '2' } };
    const applied = await client.patch<ConfigMap>(ref('applied'), {
      type: 'apply',
      body: taken,
      fieldManager: 'one',
    });
    expect(applied.data).toEqual({ theirs: '2' });
  });

  it('are owned by the name in the user agent', async () => {
    const created = (await client.create(CONFIG_MAPS, 'default', configMap('owned'))) as {
      metadata: { managedFields: { manager: string }[] };
    };
    expect(created.metadata.managedFields.map(({ manager }) => manager)).toEqual(['krake-hooks-test']);
  });

  it('show nothing but their metadata when that is asked for', async () => {
    const labels = { app: 'partial' };
    await client.create(DEPLOYMENTS, 'default', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'partial', labels },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'none' }] } },
      },
    });
    const options = { metadataOnly: true, labelSelector: 'app=partial' };
    const one = await client.get(
      { resource: DEPLOYMENTS, namespace: 'default', name: 'partial' },
      { metadataOnly: true },
    );
    const list = await client.list(DEPLOYMENTS, undefined, options);
    const watch = await client.watch(DEPLOYMENTS, 'default', {
      ...options,
      resourceVersion: '0',
      timeoutSeconds: 5,
      idleTimeoutMs: 30_000,
      signal: AbortSignal.timeout(30_000),
    });
    const watched: WatchEvent<KubeObject>[] = [];
    for await (const event of watch) if (event.type === 'ADDED') watched.push(event);
    expect(list.items).toHaveLength(1);
    expect(watched).toHaveLength(1);
    for (const object of [one, list.items[0], watched[0]?.type === 'ADDED' ? watched[0].object : undefined]) {
      expect(Object.keys(object ?? {})).not.toContain('spec');
      expect(object?.metadata.labels).toEqual(labels);
    }
  });
});

describe('lists', () => {
  it('come by page', async () => {
    for (let i = 0; i < 5; i++) await client.create(CONFIG_MAPS, 'default', configMap(`page-${i}`));
    const names: (string | undefined)[] = [];
    let pages = 0;
    for (let next: string | undefined; pages === 0 || next !== undefined; pages++) {
      const page = await client.list(CONFIG_MAPS, 'default', {
        labelSelector: 'test=page',
        limit: 2,
        ...(next === undefined ? {} : { continue: next }),
      });
      names.push(...page.items.map(({ metadata }) => metadata.name));
      next = page.continue;
    }
    expect(pages).toBe(3);
    expect(names).toEqual(['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
  });
});

describe('errors', () => {
  it('name what was asked and why it was refused', async () => {
    const error = await caught(client.create(CONFIG_MAPS, 'default', configMap('Not A Name')));
    expect(error).toBeInstanceOf(KubeApiError);
    expect(error).toMatchObject({ status: 422, reason: 'Invalid' });
    expect((error as Error).message).toContain('POST /api/v1/namespaces/default/configmaps: ');
    expect((error as Error).message).toContain('metadata.name');
  });

  it('repeat nothing of a Secret', async () => {
    const secret = (data: unknown) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'canary' },
      ...(data as object),
    });
    for (const body of [
      secret({ data: { token: `${CANARY}!` } }),
      secret({ stringData: { [`${CANARY} key`]: 'x' } }),
      secret({ metadata: { name: 'canary', annotations: { [`${CANARY} annotation`]: 'x' } } }),
      secret({ data: CANARY }),
    ]) {
      const error = await caught(client.create(SECRETS, 'default', body));
      expect(error).toBeInstanceOf(KubeApiError);
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(CANARY);
    }
  });

  it('tell of an API server that is not there', async () => {
    const port = await findFreePort();
    const away = serviceAccountClient(`https://127.0.0.1:${port}`);
    const error = await caught((await away).getRaw('/version'));
    expect(error).toBeInstanceOf(KubeUnreachableError);
    expect((error as Error).message).toMatch(/^GET \/version: no answer from the API server: .*ECONNREFUSED/);
    expect((error as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('tell of an API server that takes too long, and of a caller who does not want to wait', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const silent = await serviceAccountClient(`https://127.0.0.1:${port}`);
      const late = await caught(silent.getRaw('/version', { timeoutMs: 100 }));
      expect(late).toBeInstanceOf(KubeUnreachableError);
      expect((late as Error).message).toContain('nothing within 100 ms');
      const controller = new AbortController();
      const given = caught(silent.getRaw('/version', { signal: controller.signal }));
      controller.abort(new Error('not needed any more'));
      expect(await given).toBeInstanceOf(KubeUnreachableError);
      expect(((await given) as Error).cause).toEqual(new Error('not needed any more'));
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});

const directories: string[] = [];

/** A client with a pod's service account: token and CA in files. */
async function serviceAccountClient(url: string, token = 'none'): Promise<FullKubeClient> {
  const directory = await mkdtemp(join(tmpdir(), 'krake-hooks-sa-'));
  directories.push(directory);
  await writeFile(join(directory, 'token'), token);
  await writeFile(join(directory, 'ca.crt'), controlPlane.caPem);
  return createKubeClient({
    serviceAccountDirectory: directory,
    inClusterUrl: url,
    userAgent: 'krake-hooks-test/1',
  });
}

afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

describe('credentials', () => {
  it('of a service account follow a token that was replaced', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    // A machine that pauses between the two requests makes the second one come too late for what it shows.
    for (let isInTime = false; !isInTime;) {
      const pod = await serviceAccountClient(controlPlane.url, 'outdated-token');
      const startedAt = performance.now();
      expect(await caught(pod.getRaw(path))).toMatchObject({ status: 401 });
      await writeFile(join(directories.at(-1) ?? '', 'token'), `${controlPlane.adminToken}\n`);
      // Right after a renewal that did not help no other is made: with a wrong token each request would be sent twice.
      const [second] = await Promise.allSettled([pod.getRaw(path)]);
      isInTime = performance.now() - startedAt < 2_000;
      if (isInTime) expect(second).toMatchObject({ status: 'rejected', reason: { status: 401 } });
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      expect(await pod.getRaw(path)).toMatchObject({ kind: 'ConfigMapList' });
      pod.close();
    }
  });

  it('that do not exist are an unreachable API server, and the message says what to do', async () => {
    const none = createKubeClient({ kubeconfigPath: '/nowhere/kubeconfig', userAgent: 'krake-hooks-test/1' });
    const error = await caught(none.getRaw('/version'));
    expect(error).toBeInstanceOf(KubeUnreachableError);
    expect((error as Error).message).toContain('/nowhere/kubeconfig');
    const context = createKubeClient({
      kubeconfigPath: controlPlane.kubeconfig,
      context: 'missing',
      userAgent: 'krake-hooks-test/1',
    });
    expect(((await caught(context.getRaw('/version'))) as Error).message).toContain('no context "missing"');
  });
});

describe('rate', () => {
  it('is limited to so many a second after a burst of as many, but not for what is urgent', async () => {
    const slow = createKubeClient({
      kubeconfigPath: controlPlane.kubeconfig,
      userAgent: 'krake-hooks-test/1',
      requestsPerSecond: 10,
    });
    await slow.getRaw('/version', { urgent: true });
    const startedAt = performance.now();
    let answered = 0;
    const all = Promise.all(
      Array.from({ length: 25 }, async () => {
        await slow.getRaw('/version');
        answered += 1;
      }),
    );
    await slow.getRaw('/version', { urgent: true });
    // It has overtaken those that wait.
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(answered).toBeLessThan(Math.min(25, 11 + 10 * seconds));
    await all;
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
    slow.close();
  });
});

describe('version', () => {
  it('is read by its raw path', async () => {
    expect(await client.getRaw('/version')).toHaveProperty('gitVersion');
  });
});
