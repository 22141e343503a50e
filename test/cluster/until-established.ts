import type { Cluster } from './cluster.ts';
import { waitFor } from './wait-for.ts';

/** `kubectl wait` fails at once for a CRD that is so new that it has no conditions yet (null, not an empty list). */
export async function untilEstablished(cluster: Pick<Cluster, 'kubectl'>, name: string): Promise<void> {
  const path = 'jsonpath={.status.conditions[?(@.type=="Established")].status}';
  await waitFor(`${name} to be established`, async () => {
    const { stdout } = await cluster.kubectl(['get', 'crd', name, '-o', path]);
    return stdout === 'True' ? true : undefined;
  });
}
