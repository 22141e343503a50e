import type { KubeObject } from '../kube/index.ts';
import { redeliveryAsked } from './redelivery.ts';
import { phaseOf, type DeliveryPhase, type JobEvent, type WebhookDelivery } from './webhook-delivery.ts';

/** What is kept of a WebhookDelivery: all of it while it is to be delivered, little afterwards. */
export interface KnownDelivery {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly webhook: { readonly name: string; readonly uid: string };
  readonly phase: DeliveryPhase;
  readonly event: JobEvent;
  readonly deliveredAt?: string;
  readonly finishedAt?: string;
  readonly reason?: string;
  /** While it is to be delivered. */
  readonly open?: WebhookDelivery;
}

/** Undefined for what is no delivery: the API server has validated what is one. */
export function projectDelivery(object: KubeObject): KnownDelivery | undefined {
  const delivery = object as unknown as WebhookDelivery;
  const { metadata, spec, status } = delivery;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  // Somebody asks for it to be sent again, and nobody has seen that yet.
  const phase = redeliveryAsked(delivery) === undefined ? phaseOf(delivery) : 'Pending';
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    webhook: spec.webhook,
    phase,
    event: spec.event,
    ...(status?.deliveredAt !== undefined && { deliveredAt: status.deliveredAt }),
    ...(status?.finishedAt !== undefined && { finishedAt: status.finishedAt }),
    ...(status?.reason !== undefined && { reason: status.reason }),
    ...(phase === 'Pending' && { open: withoutManagedFields(delivery) }),
  };
}

function withoutManagedFields(delivery: WebhookDelivery): WebhookDelivery {
  const { name, namespace, uid, annotations, creationTimestamp, resourceVersion } = delivery.metadata;
  return {
    ...delivery,
    metadata: {
      name,
      namespace,
      uid,
      ...(annotations && { annotations }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
  };
}
