import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';

/** A kubeconfig for a service account, with nothing but its own rights; returns its path. */
export async function writeAccountKubeconfig(
  cluster: Cluster,
  namespace: string,
  account: string,
): Promise<string> {
  const { url, caPem, dir, kubeconfig } = cluster;
  const { stdout } = await cluster.kubectl(['-n', namespace, 'create', 'token', account, '--duration=12h']);
  const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as Record<string, unknown>;
  const path = join(dir, `${namespace}.${account}.kubeconfig`);
  const server = { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
  await writeFile(
    path,
    JSON.stringify({
      ...config,
      clusters: [{ name: 'c', cluster: server }],
      users: [{ name: 'u', user: { token: stdout.trim() } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  return path;
}
