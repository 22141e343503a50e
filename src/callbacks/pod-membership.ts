import { LABEL_APPLICATION } from '../contract/index.ts';
import type { Clock, KubeClient, KubeObject, OwnerReference } from '../kube/index.ts';
import { createExpiringCache } from './expiring-cache.ts';
import { field, textField } from './field.ts';
import type { ReviewedPod } from './review-token.ts';
import { createSingleFlight } from './single-flight.ts';

/** A pod as far as it matters whose it is. */
export interface PodBelonging {
  /** Its application, as its label says. */
  readonly application: string | undefined;
  /** UIDs of what it may be a part of: itself, its controller, and that one's. */
  readonly lineage: readonly string[];
  readonly address: string | undefined;
}

export type PodReading =
  | { readonly kind: 'read'; readonly belonging: PodBelonging }
  /** No pod has this name and UID. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unavailable'; readonly error: string };

export interface PodMembership {
  /** Reads the pod live, or as it was seconds ago. Never rejects. */
  read(pod: ReviewedPod): Promise<PodReading>;
}

const GONE: PodReading = { kind: 'gone' };
const PODS = { apiVersion: 'v1', plural: 'pods' } as const;
const REPLICA_SETS = { apiVersion: 'apps/v1', plural: 'replicasets' } as const;
const TIMEOUT_MS = 5_000;
const MAX_REMEMBERED = 4_096;
/** The owner of a ReplicaSet changes when it is orphaned or adopted, by a person. */
const REPLICA_SET_MS = 60_000;

/** Reads whom pods belong to; a ReplicaSet's owner, a Deployment, is part of it. */
export function createPodMembership(
  client: Pick<KubeClient, 'get'>,
  clock: Pick<Clock, 'monotonic'>,
  { ttlMs }: { readonly ttlMs: number },
): PodMembership {
  const pods = createExpiringCache<PodReading>(MAX_REMEMBERED, () => clock.monotonic());
  // Apart, so that a flood of these pushes none of the others out. A UID does not come back.
  const gone = createExpiringCache<PodReading>(MAX_REMEMBERED, () => clock.monotonic());
  const owners = createExpiringCache<readonly string[]>(MAX_REMEMBERED, () => clock.monotonic());
  const flights = createSingleFlight<PodReading>();

  async function lineageOf(namespace: string, owner: OwnerReference): Promise<readonly string[]> {
    if (owner.kind !== 'ReplicaSet' || !owner.apiVersion.startsWith('apps/')) return [owner.uid];
    const known = owners.get(owner.uid);
    if (known !== undefined) return known;
    const replicaSet = await client.get(
      { resource: REPLICA_SETS, namespace, name: owner.name },
      { timeoutMs: TIMEOUT_MS, metadataOnly: true },
    );
    // Another one of that name says nothing of ours.
    const controller = replicaSet?.metadata.uid === owner.uid ? controllerOf(replicaSet) : undefined;
    const lineage = controller === undefined ? [owner.uid] : [owner.uid, controller.uid];
    owners.set(owner.uid, lineage, REPLICA_SET_MS);
    return lineage;
  }

  async function readLive({ namespace, name, uid }: ReviewedPod): Promise<PodReading> {
    try {
      const pod = await client.get({ resource: PODS, namespace, name }, { timeoutMs: TIMEOUT_MS });
      if (pod?.metadata.uid !== uid) {
        gone.set(uid, GONE, ttlMs);
        return GONE;
      }
      const controller = controllerOf(pod);
      const belonging: PodBelonging = {
        application: pod.metadata.labels?.[LABEL_APPLICATION],
        lineage: [uid, ...(controller === undefined ? [] : await lineageOf(namespace, controller))],
        address: textField(field(pod, 'status'), 'podIP'),
      };
      const reading: PodReading = { kind: 'read', belonging };
      pods.set(uid, reading, ttlMs);
      return reading;
    } catch (error) {
      return { kind: 'unavailable', error: String(error) };
    }
  }

  return {
    read: (pod) => {
      const known = pods.get(pod.uid) ?? gone.get(pod.uid);
      return known === undefined ? flights.run(pod.uid, () => readLive(pod)) : Promise.resolve(known);
    },
  };
}

function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}
