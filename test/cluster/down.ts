import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findMarkedProcesses, killProcessesOf } from './marked-processes.ts';
import { cgroupName, removeCgroups } from './node-cgroups.ts';
import { disconnectNetwork } from './node-network.ts';
import { say } from './progress.ts';

/** All that `up` makes in the state directory, which may hold something else too. `logs` stays, for whoever asks why. */
const state = [
  ...[
    'apiserver',
    'cni',
    'cni-state',
    'containerd',
    'etcd',
    'existing',
    'kubectl-cache',
    'kubelet',
    'pod-logs',
  ],
  ...[
    'volume-plugins',
    'cluster.json',
    'containerd.toml',
    'Corefile',
    'failed',
    'kubelet.json',
    'kubeconfig',
  ],
  ...['service-account.key', 'tokens.csv', 'krake-hooks.tar', 'kubelet.kubeconfig', 'kube-proxy.kubeconfig'],
  ...['coredns.kubeconfig', 'kube-controller-manager.kubeconfig', 'kube-scheduler.kubeconfig'],
] as const;

/** Ends a cluster in whatever state it is, and leaves nothing but its logs. Finding nothing to do is fine. */
export const takeDown = async (dir: string): Promise<number> => {
  const ended = await killProcessesOf(dir);
  // With the first process of the namespaces the kernel has ended every other in them, and their mounts.
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    await disconnectNetwork(dir);
    await removeCgroups(cgroupName(dir));
  }
  for (const name of state) await rm(join(dir, name), { recursive: true, force: true });
  return ended;
};

/** One of these is in a state directory from before its first process starts until its cluster is taken down. */
const signsOfLife = ['lock', 'cluster.json', 'owner.json', 'tokens.csv'];

/**
 * Ends the clusters whose directory was deleted while they ran, such as a CI job's: nobody else would. Their programs may have made
 * parts of it anew.
 */
export const takeDownOrphans = async (): Promise<void> => {
  const dirs = new Set((await findMarkedProcesses()).map((marked) => marked.dir));
  for (const dir of dirs) {
    const entries = await readdir(dir).catch(() => []);
    if (entries.some((name) => signsOfLife.includes(name))) continue;
    say(`the cluster of ${dir} is still running, but its directory was deleted: taking it down`);
    await takeDown(dir);
  }
};
