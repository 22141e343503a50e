import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';

export interface TestNamespace {
  readonly name: string;
  kubectl(
    args: readonly string[],
    options?: Parameters<Cluster['kubectl']>[1],
  ): ReturnType<Cluster['kubectl']>;
  apply(...objects: readonly object[]): Promise<void>;
  json<T>(args: readonly string[]): Promise<T>;
}

/** A namespace that is opted in and enforces Pod Security `restricted`, so that each test shows that hooks work there. */
export async function createNamespace(cluster: Cluster, name: string): Promise<TestNamespace> {
  await cluster.kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=180s'], {
    timeoutMs: 190_000,
  });
  const labels = { 'hooks.krake.dev/enabled': 'true', 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(namespace) });
  const kubectl: TestNamespace['kubectl'] = (args, options) =>
    cluster.kubectl(['-n', name, ...args], options);
  // No pod is let in before it.
  await eventually(`the service account of ${name}`, async () => {
    const { code } = await kubectl(['get', 'serviceaccount', 'default'], { allowFailure: true });
    return code === 0 || undefined;
  });
  return {
    name,
    kubectl,
    async apply(...objects) {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
    },
    async json<T>(args: readonly string[]) {
      return JSON.parse((await kubectl([...args, '-o', 'json'])).stdout) as T;
    },
  };
}

export async function removeNamespace(cluster: Cluster, name: string): Promise<void> {
  await cluster.kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=false'], {
    allowFailure: true,
  });
}
