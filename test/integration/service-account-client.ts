import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import type { Cluster } from '../cluster/cluster.ts';

export interface ServiceAccountClient {
  readonly client: FullKubeClient;
  /** A kubeconfig with the same token. */
  readonly kubeconfig: string;
  readonly close: () => Promise<void>;
}

/** A client with a token of this service account, as the API server issues it. */
export async function clientOfServiceAccount(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<ServiceAccountClient> {
  const { stdout } = await cluster.kubectl(['-n', namespace, 'create', 'token', name]);
  const directory = await mkdtemp(join(tmpdir(), 'krake-hooks-account-'));
  const kubeconfig = join(directory, 'kubeconfig');
  const entry = (key: string, value: object) => [{ name: 'default', [key]: value }];
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: entry('cluster', {
        server: cluster.url,
        'certificate-authority-data': Buffer.from(cluster.caPem).toString('base64'),
      }),
      users: entry('user', { token: stdout.trim() }),
      contexts: entry('context', { cluster: 'default', user: 'default' }),
      'current-context': 'default',
    }),
  );
  const client = createKubeClient({ kubeconfigPath: kubeconfig, userAgent: 'krake-hooks-test/1' });
  return {
    client,
    kubeconfig,
    close: async () => {
      client.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
