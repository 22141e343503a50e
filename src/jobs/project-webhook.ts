import type { KubeObject } from '../kube/index.ts';
import type { Webhook } from './webhook.ts';

/** What is kept of a Webhook: all but metadata that nobody asks for; undefined for one that is being deleted. */
export function projectWebhook(object: KubeObject): Webhook | undefined {
  const webhook = object as unknown as Webhook;
  if (webhook.metadata.deletionTimestamp !== undefined) return undefined;
  const { name, namespace, uid, creationTimestamp, generation, labels, resourceVersion } = webhook.metadata;
  return {
    ...webhook,
    metadata: {
      name,
      namespace,
      uid,
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(generation !== undefined && { generation }),
      ...(labels !== undefined && { labels }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
  };
}
