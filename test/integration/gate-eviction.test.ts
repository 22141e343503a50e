import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../cluster/wait-for.ts';
import type { ApiAnswer } from './call-api.ts';
import { conversation, podPath, shutdown, startGateSetting, type GateSetting } from './gate-setting.ts';

jest.setTimeout(300_000);
let setting: GateSetting;
let namespace: string;
beforeAll(async () => {
  setting = await startGateSetting();
}, 600_000);
afterAll(() => setting.stop());
beforeEach(async () => {
  namespace = await setting.namespace();
  await setting.application(namespace, 'web');
});

const confirmed = { confirmation: { receivedAt: '2026-01-01T00:00:30Z', provenBy: 'token' } };
const going = async () => (await setting.get(namespace, 'web')).status?.shutdown?.going;
const evict = (name: string, deleteOptions?: object, query = ''): Promise<ApiAnswer> =>
  setting.call('POST', `${podPath(namespace, name)}/eviction${query}`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace },
    ...(deleteOptions && { deleteOptions }),
  });

describe('an eviction', () => {
  it('is refused with 429 and Retry-After, and remembered as one', async () => {
    const uid = await setting.pod(namespace, 'a');
    const { status, headers, body } = await evict('a');
    expect({ status, reason: body.reason, retryAfter: headers['retry-after'] }).toEqual({
      status: 429,
      reason: 'TooManyRequests',
      retryAfter: '2',
    });
    expect(body.message).toContain('pod a is kept until the application web has saved its state');
    expect(await going()).toEqual({
      [uid]: { name: 'a', cause: 'eviction', requestedAt: expect.any(String) },
    });
  });

  it('of a pod whose goodbye is stored goes through', async () => {
    const uid = await setting.pod(namespace, 'a');
    expect((await evict('a')).status).toBe(429);
    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], confirmed)));
    expect((await evict('a')).status).toBe(201);
    expect(await setting.exists(namespace, 'a')).toBe(false);
  });

  it.each([
    ['in the eviction, as kubectl drain says it', { dryRun: ['All'] }, ''],
    ['in the query', undefined, '?dryRun=All'],
  ])('that is a dry run is refused and not remembered: said %s', async (_where, options, query) => {
    await setting.pod(namespace, 'a');
    expect((await evict('a', options, query)).status).toBe(429);
    expect(await going()).toBeUndefined();
  });

  it('of a pod of another life than it means is the API server’s to refuse', async () => {
    await setting.pod(namespace, 'a');
    const { status, body } = await evict('a', { preconditions: { uid: 'another' } });
    expect(status).toBe(409);
    expect(body.message).not.toContain('krake');
    expect(await going()).toBeUndefined();
  });

  it('passes where the application is asked before deletions only', async () => {
    await setting.application(namespace, 'db', { shutdown: { causes: ['deletion'] } });
    await setting.pod(namespace, 'a', { application: 'db' });
    expect((await evict('a')).status).toBe(201);
  });

  it.each([
    ['has no hook', { hooks: '' }],
    ['has not started', { phase: 'Pending' as const }],
  ])('of a pod that %s goes through', async (_what, options) => {
    await setting.pod(namespace, 'a', options);
    expect((await evict('a')).status).toBe(201);
  });

  it('of a pod that is not there is answered 404', async () => {
    expect((await evict('nobody')).status).toBe(404);
  });
});

describe('kubectl drain', () => {
  it('waits for the goodbye and then really ends', async () => {
    const node = `node-${namespace}`;
    await setting.call('POST', '/api/v1/nodes', { metadata: { name: node } });
    const uid = await setting.pod(namespace, 'a', { node });
    await setting.pod(namespace, 'plain', { node, hooks: '' });
    let ended = false;
    const draining = setting
      .kubectl('drain', node, '--force', '--timeout=180s')
      .finally(() => (ended = true));

    await waitFor('the eviction to be remembered', async () => ((await going())?.[uid] ? true : undefined));
    await waitFor('the other pod to be evicted', () => isTerminating('plain'));
    await finish('plain');
    // Evictions come again each 5 s; none of them ends it.
    await sleep(6_000);
    expect(ended).toBe(false);
    expect(await isTerminating('a')).toBeUndefined();

    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], confirmed)));
    await waitFor('the pod to be evicted', () => isTerminating('a'));
    await finish('a');
    const { code, stdout, stderr } = await draining;
    // The code and what it wrote together, so that a failure shows why.
    expect(`${code}\n${stdout}\n${stderr}`).toMatch(/^0\n[^]*drained/);
  });

  const isTerminating = async (name: string): Promise<true | undefined> => {
    const { body } = await setting.call('GET', podPath(namespace, name));
    const { metadata } = body as { metadata?: { deletionTimestamp?: string } };
    return metadata?.deletionTimestamp === undefined ? undefined : true;
  };
  /** What the kubelet does once the containers have ended. */
  const finish = async (name: string): Promise<void> => {
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
    const { status } = await setting.call('DELETE', podPath(namespace, name), options);
    expect(status).toBe(200);
    expect(await setting.exists(namespace, name)).toBe(false);
  };
});
