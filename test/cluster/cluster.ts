import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getFromApi } from './api-request.ts';
import { runCommand } from './run-command.ts';
import type { CommandResult } from './run-command.ts';

/** What a cluster can do. A test that needs more says so loudly and doesn't run; it never passes unrun. */
export interface ClusterCapabilities {
  /** Jobs, Deployments, garbage collection, service accounts: without it only the API server acts. */
  readonly controllerManager: boolean;
  /** Pods really run. */
  readonly node: boolean;
  /** The API server and etcd can be stopped, killed and started again. */
  readonly restart: boolean;
}

export interface KubectlOptions {
  readonly input?: string;
  /** Return a code other than 0 instead of throwing. */
  readonly allowFailure?: boolean;
  /** Another user's kubeconfig. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly timeoutMs?: number;
}

export interface Cluster {
  readonly url: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly caPem: string;
  /** Empty when an existing cluster's administrator comes with a certificate; the kubeconfig always works. */
  readonly adminToken: string;
  /** State and `logs/`. */
  readonly dir: string;
  readonly capabilities: ClusterCapabilities;
  readonly kubectlProgram: string;
  /** Throws with what kubectl wrote to stderr, unless `allowFailure`. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  /** The API server's own metrics in Prometheus' text format. */
  metricsText(): Promise<string>;
}

interface ClusterAccess {
  readonly dir: string;
  readonly kubeconfig: string;
  readonly kubectlProgram: string;
  readonly capabilities: ClusterCapabilities;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, unknown>> }[];
}

/** A cluster by its kubeconfig, which has one cluster, one user, and nothing outside itself. */
export const openCluster = async (access: ClusterAccess): Promise<Cluster> => {
  const { dir, kubeconfig, kubectlProgram, capabilities } = access;
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  const cluster = clusters[0]?.cluster;
  const token = users[0]?.user.token;
  const url = cluster?.server;
  if (url === undefined) throw new Error(`${kubeconfig} names no cluster`);
  const caPem = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString();
  const adminToken = typeof token === 'string' ? token : '';
  const cacheDir = join(dir, 'kubectl-cache');
  await mkdir(cacheDir, { recursive: true });

  const kubectl: Cluster['kubectl'] = (args, options = {}) => {
    const { kubeconfig: other = kubeconfig, context, ...rest } = options;
    const contextArgs = context === undefined ? [] : [`--context=${context}`];
    return runCommand(
      kubectlProgram,
      [`--kubeconfig=${other}`, `--cache-dir=${cacheDir}`, ...contextArgs, ...args],
      rest,
    );
  };
  const metricsText = async (): Promise<string> => {
    if (adminToken === '') return (await kubectl(['get', '--raw', '/metrics'])).stdout;
    const { status, body } = await getFromApi({ url, caPem, adminToken }, '/metrics', 20_000);
    if (status !== 200) throw new Error(`GET /metrics: ${status} ${body.slice(0, 200)}`);
    return body;
  };
  return { url, kubeconfig, caPem, adminToken, dir, capabilities, kubectlProgram, kubectl, metricsText };
};
