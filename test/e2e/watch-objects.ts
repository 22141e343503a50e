import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Cluster } from '../cluster/cluster.ts';

/** One event of a watch. */
export interface Seen<T> {
  readonly type: string;
  readonly object: T;
  /** When it came, in ms since 1970 by the clock of the test. */
  readonly seenAt: number;
}

export interface ObjectWatch<T> {
  /** Everything since the watch began, in order. */
  readonly history: readonly Seen<T>[];
  stop(): void;
}

/** Follows a collection, for example `/api/v1/namespaces/shop/pods`: what was and when, not only what is. */
export function watchObjects<T>(cluster: Cluster, path: string): ObjectWatch<T> {
  const history: Seen<T>[] = [];
  const child = spawn(
    cluster.kubectlProgram,
    [`--kubeconfig=${cluster.kubeconfig}`, 'get', '--raw', `${path}?watch=true`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  createInterface({ input: child.stdout }).on('line', (line) => {
    history.push({ ...(JSON.parse(line) as Omit<Seen<T>, 'seenAt'>), seenAt: Date.now() });
  });
  return { history, stop: () => void child.kill('SIGKILL') };
}
