import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';

export interface ServiceAccountClient {
  readonly client: FullKubeClient;
  /** Path of a kubeconfig with the same token; it goes with the cluster. */
  readonly kubeconfig: string;
}

/** A client with a token of this service account, as the API server issues it. The caller closes it. */
export async function clientOfServiceAccount(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<ServiceAccountClient> {
  const kubeconfig = await writeAccountKubeconfig(cluster, namespace, name);
  return {
    client: createKubeClient({ kubeconfigPath: kubeconfig, userAgent: 'krake-hooks-test/1' }),
    kubeconfig,
  };
}
