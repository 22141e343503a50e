import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createOperations, type OperationsDeps } from '../../../src/jobs-api/operations.ts';
import { createAddressPolicy } from '../../../src/outbound/index.ts';

const deps = {
  client: {
    create: (_resource: unknown, namespace: string, body: { metadata: object }) =>
      Promise.resolve({ ...body, metadata: { uid: 'uid', ...body.metadata, namespace } }),
    get: () => Promise.resolve(undefined),
  },
  caches: {
    jobs: { connected: () => true, get: () => undefined },
    webhooks: { get: () => undefined },
  },
  policy: createAddressPolicy({ allowCidrs: [], denyCidrs: [] }),
  services: { ownNamespace: 'krake-system', inClusterNamespaces: ['*'] },
  apiServers: () => Promise.resolve([]),
} as unknown as OperationsDeps;

function post(
  path: string,
  body: object,
): Parameters<ReturnType<typeof createOperations>['createWebhook']>[0] {
  const stream = Readable.from([Buffer.from(JSON.stringify(body))]);
  const request = Object.assign(stream, { headers: {} }) as unknown as IncomingMessage;
  return { request, url: new URL(path, 'http://service'), namespace: 'shop', id: '' };
}

describe('Location', () => {
  const webhook = { url: 'http://reports:8080/' };
  const watcher = { jobName: 'train', jobDoneTriggerWebhooks: [] };
  it.each([
    ['createWebhook', '/webhooks', webhook, ''],
    ['createWebhook', '/webhooks?other=1&namespace=shop', webhook, '?namespace=shop'],
    ['createWatcher', '/job-done-watchers', watcher, ''],
    ['createWatcher', '/job-done-watchers?namespace=shop', watcher, '?namespace=shop'],
  ] as const)('of %s at %s', async (operation, path, body, query) => {
    const outcome = await createOperations(deps)[operation](post(path, body));
    const { id } = (outcome?.kind === 'answer' ? outcome.body : {}) as { id: string };
    expect(outcome).toMatchObject({
      status: 201,
      headers: { Location: `${path.split('?')[0]}/${id}${query}` },
    });
  });
});
