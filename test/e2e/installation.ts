import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { connectToCluster } from '../cluster/running-cluster.ts';

const root = join(import.meta.dirname, '..', '..');
const PARTS = ['admission', 'callbacks', 'controller'] as const;

/** Runs one command of the harness with its progress in view. @throws Error when it fails */
export function harness(command: 'up' | 'down' | 'build-image'): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'test/cluster/cli.ts'), command], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the local cluster: "${command}" failed (see above)`));
    });
  });
}

/** A cluster that is up; starts the local one where none runs. */
export async function startCluster(): Promise<Cluster> {
  await harness('up');
  return connectToCluster();
}

/** Builds the image of this checkout, applies the local overlay and waits until every part is ready. May be repeated. */
export async function install(
  cluster: Cluster,
  onReady: (part: string) => void = () => undefined,
): Promise<void> {
  await harness('build-image');
  await cluster.kubectl(['apply', '-k', join(root, 'manifests/overlays/local')]);
  // The image keeps its name from build to build, so pods of an earlier one have to be told.
  await cluster.kubectl(['-n', 'krake-system', 'rollout', 'restart', 'deployment']);
  for (const part of PARTS) {
    await waitForRollout(cluster, part);
    onReady(part);
  }
}

export async function waitForRollout(cluster: Cluster, part: (typeof PARTS)[number]): Promise<void> {
  const args = [
    '-n',
    'krake-system',
    'rollout',
    'status',
    `deployment/krake-hooks-${part}`,
    '--timeout=150s',
  ];
  await cluster.kubectl(args, { timeoutMs: 160_000 });
}
