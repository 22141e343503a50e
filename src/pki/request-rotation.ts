import { randomUUID } from 'node:crypto';
import type { KubeClient } from '../kube/index.ts';
import { ANNOTATION_ROTATE, type Secret } from './ca-secret.ts';

/**
 * Asks for one rotation of the self-managed CA; the replicas carry it out over the next minutes (trust delay). Asked again before it has
 * begun, it stays one rotation. The same by hand: `kubectl annotate secret krake-hooks-ca hooks.krake.dev/rotate=$(date +%s) --overwrite`.
 *
 * @throws KubeApiError 404 when there is no CA Secret yet
 */
export async function requestRotation(
  client: Pick<KubeClient, 'patch'>,
  { namespace, caSecretName }: { readonly namespace: string; readonly caSecretName: string },
): Promise<void> {
  const ref = { resource: { apiVersion: 'v1', plural: 'secrets' }, namespace, name: caSecretName };
  const annotations = { [ANNOTATION_ROTATE]: randomUUID() };
  await client.patch<Secret>(ref, { type: 'merge', body: { metadata: { annotations } } });
}
