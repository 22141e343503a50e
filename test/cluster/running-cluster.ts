import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { getFromApi } from './api-request.ts';
import { openCluster } from './cluster.ts';
import type { Cluster, ClusterCapabilities } from './cluster.ts';
import { openExistingCluster } from './existing-cluster.ts';
import { findProcessesOf } from './marked-processes.ts';
import type { NodeNetwork } from './node-network.ts';
import { clusterDir, fromEnvironment } from './settings.ts';
import { waitFor } from './wait-for.ts';

/** What `up` writes when everything is up, and only then. */
export interface ClusterRecord {
  readonly programs: readonly string[];
  readonly kubectlProgram: string;
  readonly capabilities: ClusterCapabilities;
  readonly network?: NodeNetwork;
}

const recordPath = (dir: string): string => join(dir, 'cluster.json');

export const writeRecord = (dir: string, record: ClusterRecord): Promise<void> =>
  writeFile(recordPath(dir), JSON.stringify(record, null, 2));

export const readRecord = async (dir: string): Promise<ClusterRecord | undefined> => {
  try {
    return JSON.parse(await readFile(recordPath(dir), 'utf8')) as ClusterRecord;
  } catch {
    return undefined;
  }
};

/** Why the cluster of a directory can't be used as it is, or undefined when it is healthy. */
export const findFault = async (dir: string): Promise<string | undefined> => {
  const processes = await findProcessesOf(dir);
  const record = await readRecord(dir);
  if (record === undefined) return processes.length === 0 ? 'it is down' : 'it was not started completely';
  const running = new Set(processes.map(({ args }) => basename(args[0] ?? '')));
  const missing = record.programs.filter((program) => !running.has(program));
  if (missing.length > 0) return processes.length === 0 ? 'it is down' : `${missing.join(', ')} not running`;
  try {
    const kubeconfig = join(dir, 'kubeconfig');
    const cluster = await openCluster({ dir, kubeconfig, ...record });
    // One that is busy is not ready for a moment, as etcd has to answer for it within two seconds.
    await waitFor(
      'the API server to be ready',
      async () => ((await getFromApi(cluster, '/readyz', 5_000)).status === 200 ? true : undefined),
      { timeoutMs: 30_000 },
    );
    return undefined;
  } catch (error) {
    return `the API server is not ready: ${String(error)}`;
  }
};

/**
 * The cluster that `up` started, or that `CONTEXT` names; throws when there is none. Its network, where it has a node of ours, says how
 * host and pods reach each other.
 */
export const connectToCluster = async (
  dir = clusterDir(),
): Promise<Cluster & { readonly network?: NodeNetwork }> => {
  const context = fromEnvironment('CONTEXT');
  if (context !== undefined) return openExistingCluster(context, join(dir, 'existing'));
  const fault = await findFault(dir);
  const record = await readRecord(dir);
  if (fault !== undefined || record === undefined) {
    throw new Error(`no cluster in ${dir}: ${fault ?? 'no record'}; start it with make cluster-up`);
  }
  const { network } = record;
  const cluster = await openCluster({ dir, kubeconfig: join(dir, 'kubeconfig'), ...record });
  return network === undefined ? cluster : { ...cluster, network };
};
