import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import { startCuttableProxy, type CuttableProxy } from './cuttable-proxy.ts';
import {
  HOOKS_ANNOTATION,
  patchGateWebhooks,
  podPath,
  startGateSetting,
  type GateSetting,
} from './gate-setting.ts';
import { pointGateAt } from './service.ts';

jest.setTimeout(300_000);
/** timeoutSeconds of the webhooks, and what a busy machine adds; a webhook that names none has ten seconds. */
const ANSWERED_MS = 9_500;
let setting: GateSetting;
let proxy: CuttableProxy;
let namespace: string;
beforeAll(async () => {
  setting = await startGateSetting({
    async through(url) {
      proxy = await startCuttableProxy(url);
      return proxy.url;
    },
    asInstalled: true,
  });
}, 600_000);
afterAll(async () => {
  await setting.stop();
  await proxy.stop();
});
beforeEach(async () => {
  namespace = await setting.namespace();
  await setting.application(namespace, 'web');
  await setting.pod(namespace, 'a');
});

const timed = async <T>(work: Promise<T>): Promise<T & { ms: number }> => {
  const startedAt = performance.now();
  const result = await work;
  return { ...result, ms: performance.now() - startedAt };
};
const remove = (name = 'a') => timed(setting.call('DELETE', podPath(namespace, name)));
const evict = (name = 'a') =>
  timed(
    setting.call('POST', `${podPath(namespace, name)}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
    }),
  );
const going = async () => (await setting.get(namespace, 'web')).status?.shutdown?.going ?? {};

describe('while the gate is down', () => {
  beforeEach(async () => {
    await setting.gate().end('SIGKILL');
  });
  afterEach(async () => {
    await setFailurePolicy('Fail');
    await setting.restartGate();
  });

  it('who asked for a goodbye does not lose it: refused, with the reason', async () => {
    for (const answer of [await remove(), await evict()]) {
      expect(answer.status).toBe(500);
      expect(answer.body.message).toContain('failed calling webhook');
      expect(answer.body.message).toContain('gate.hooks.krake.dev');
      expect(answer.ms).toBeLessThan(ANSWERED_MS);
    }
    expect(await setting.exists(namespace, 'a')).toBe(true);
  });

  it.each<[string, Parameters<GateSetting['pod']>[2]]>([
    ['did not ask', { hooks: '' }],
    ['has only the complete hook', { hooks: 'complete' }],
    ['has ended', { phase: 'Succeeded' }],
    ['has failed', { phase: 'Failed' }],
  ])('a pod that %s is deleted as ever', async (_what, options) => {
    await setting.pod(namespace, 'b', options);
    expect((await remove('b')).status).toBe(200);
  });

  it('a pod that is terminating is gone with the last delete of its kubelet', async () => {
    const node = `node-${namespace}`;
    await setting.call('POST', '/api/v1/nodes', { metadata: { name: node } });
    // On a node, so that it stays until the kubelet has ended it.
    await setting.pod(namespace, 'b', { hooks: 'complete', node });
    expect((await remove('b')).status).toBe(200);
    expect(await setting.exists(namespace, 'b')).toBe(true);
    const metadata = { annotations: { [HOOKS_ANNOTATION]: 'shutdown' } };
    expect((await setting.call('PATCH', podPath(namespace, 'b'), { metadata })).status).toBe(200);
    const last = await setting.call('DELETE', `${podPath(namespace, 'b')}?gracePeriodSeconds=0`);
    expect(last.status).toBe(200);
    expect(await setting.exists(namespace, 'b')).toBe(false);
  });

  it('with failurePolicy Ignore everything goes, unasked', async () => {
    await setFailurePolicy('Ignore');
    await waitFor('the API server to have taken it up', async () =>
      (await remove()).status === 200 ? true : undefined,
    );
    expect(await setting.exists(namespace, 'a')).toBe(false);
  });

  it('what was remembered before is still there when it comes back', async () => {
    await setting.restartGate();
    await untilRefused();
    const remembered = await going();
    await setting.gate().end('SIGKILL');
    await setting.restartGate();
    await untilRefused();
    expect(await going()).toEqual(remembered);
    await setting.gate().end('SIGKILL');
  });
});

describe('while the gate hangs', () => {
  let server: Server;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    // Takes connections and never says a word.
    server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await pointGateAt(setting.controlPlane, (server.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await pointGateAt(setting.controlPlane, setting.gate().gatePort);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('the caller is answered within the timeout', async () => {
    const answer = await waitFor('the API server to call the silent one', async () => {
      const found = await remove();
      return found.status === 409 ? undefined : found;
    });
    expect(answer.status).toBe(500);
    expect(answer.body.message).toContain('failed calling webhook');
    expect(answer.ms).toBeLessThan(ANSWERED_MS);
    expect(await setting.exists(namespace, 'a')).toBe(true);
  });
});

describe('while the gate cannot reach the API server', () => {
  afterEach(() => proxy.open());

  it.each(['refuse', 'freeze'] as const)('it says so, in time, and remembers nothing (%s)', async (how) => {
    await untilRefused();
    await setting.pod(namespace, 'b');
    proxy[how]();
    const deleted = await answered(() => remove('b'));
    expect(deleted.status).toBe(503);
    expect(deleted.body.message).toContain('could not be read from the API server in time');
    expect(deleted.headers['retry-after']).toBeUndefined();
    expect(deleted.ms).toBeLessThan(ANSWERED_MS);
    const evicted = await answered(() => evict('b'));
    expect({ status: evicted.status, retryAfter: evicted.headers['retry-after'] }).toEqual({
      status: 429,
      retryAfter: '2',
    });
    expect(Object.values(await going()).map(({ name }) => name)).toEqual(['a']);

    proxy.open();
    await untilRefused('b');
    expect(Object.values(await going()).map(({ name }) => name)).toContain('b');
  });
});

/** With 409, as a gate answers that is there and in time. */
const untilRefused = (name?: string) =>
  waitFor('the deletion to be refused', async () => ((await remove(name)).status === 409 ? true : undefined));

/** The API server says 500 when the gate's answer came too late for it, as on a machine that stands still. Nothing is remembered then either. */
const answered = <T extends { readonly status: number }>(ask: () => Promise<T>): Promise<T> =>
  waitFor('the answer of the gate', async () => {
    const answer = await ask();
    return answer.status === 500 ? undefined : answer;
  });

/** Of all webhooks of the gate, as the component gate-fails-open does it. */
const setFailurePolicy = (failurePolicy: 'Fail' | 'Ignore') =>
  patchGateWebhooks(setting.controlPlane, { failurePolicy });
