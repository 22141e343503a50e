import { LABEL_APPLICATION, WORKLOAD_KINDS } from '../../contract/index.ts';
import type { KubeClient, KubeObject, WatchClient } from '../../kube/index.ts';
import { knownController } from '../member.ts';
import { hasEnded, hasStarted, type PodProgress } from '../pod-progress.ts';

export interface PodObject extends KubeObject {
  readonly spec?: {
    readonly containers?: readonly {
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
    }[];
  };
  readonly status?: PodProgress & { readonly podIP?: string };
}

/** A pod of the application as the API server has it now. */
export interface LivePod {
  readonly uid: string;
  readonly name: string;
  readonly deleting: boolean;
  /** Containers of it run, or have run: it may have something to save. */
  readonly started: boolean;
  /** Succeeded or failed. */
  readonly finished: boolean;
  readonly succeeded: boolean;
  readonly createdAtMs: number;
  readonly address: string | undefined;
  /** Named container ports. */
  readonly ports: Readonly<Record<string, number>>;
  /** UID of the workload at the top of its owners; its own for a bare pod. Only looked up where there are several workloads. */
  readonly rootUid: string | undefined;
  /** The ReplicaSet or ReplicationController that it is one of. */
  readonly owner: PodOwner | undefined;
}

export interface PodOwner {
  readonly kind: 'ReplicaSet' | 'ReplicationController';
  readonly name: string;
  readonly uid: string;
}

/** It has something to save and nobody can take it away any more without a goodbye. */
export function isInhabited(pod: LivePod): boolean {
  return pod.started && !pod.finished && !pod.deleting;
}

export function describePod(object: PodObject, rootUid?: string): LivePod {
  const { uid = '', name = '', deletionTimestamp, creationTimestamp } = object.metadata;
  const { status = {} } = object;
  const named = (object.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap((port) => (port.name === undefined ? [] : [[port.name, port.containerPort] as const])),
  );
  return {
    uid,
    name,
    deleting: deletionTimestamp !== undefined,
    // The gate decides by the same: what it holds is taken up here.
    started: hasStarted(status),
    finished: hasEnded(status),
    succeeded: status.phase === 'Succeeded',
    createdAtMs: Date.parse(creationTimestamp ?? ''),
    address: status.podIP,
    ports: Object.fromEntries(named),
    rootUid,
    owner: ownerOf(object),
  };
}

function ownerOf({ metadata }: PodObject): PodOwner | undefined {
  const owner = knownController(metadata);
  const { kind, name, uid } = owner ?? {};
  const isCounting = kind === 'ReplicaSet' || kind === 'ReplicationController';
  return isCounting && name !== undefined && uid !== undefined ? { kind, name, uid } : undefined;
}

/**
 * Pods that carry the application's label.
 *
 * @param tops UIDs of workloads that are known to be at the top of their pods' owners, so that they need not be read again; undefined: the roots
 * are not looked up
 */
export async function listPods(
  client: Pick<KubeClient, 'get'> & Pick<WatchClient, 'list'>,
  namespace: string,
  application: string,
  tops: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<LivePod[]> {
  const labelSelector = `${LABEL_APPLICATION}=${application}`;
  const { items } = await client.list<PodObject>(WORKLOAD_KINDS.Pod, namespace, { labelSelector, signal });
  if (tops === undefined) return items.map((object) => describePod(object));
  const roots = new Map(tops.map((uid) => [uid, Promise.resolve(uid)] as const));
  return Promise.all(
    items.map(async (object) => describePod(object, await rootOf(client, namespace, object, roots, signal))),
  );
}

/** Pods with these labels; their roots are not looked up. */
export async function listSelected(
  client: Pick<WatchClient, 'list'>,
  namespace: string,
  selector: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<LivePod[]> {
  const labelSelector = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const { items } = await client.list<PodObject>(WORKLOAD_KINDS.Pod, namespace, { labelSelector, signal });
  return items.map((object) => describePod(object));
}

/** A ReplicaSet's or Job's own controller is looked up once for all of their pods. */
async function rootOf(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  pod: PodObject,
  known: Map<string, Promise<string>>,
  signal: AbortSignal,
): Promise<string> {
  const owner = knownController(pod.metadata);
  if (owner === undefined) return pod.metadata.uid ?? '';
  let root = known.get(owner.uid);
  if (root === undefined) {
    const ref = { resource: WORKLOAD_KINDS[owner.kind], namespace, name: owner.name };
    root = client.get(ref, { signal, metadataOnly: true }).then((found) => {
      const above = found === undefined ? undefined : knownController(found.metadata);
      return above === undefined || above.kind === 'CronJob' ? owner.uid : above.uid;
    });
    known.set(owner.uid, root);
  }
  return root;
}
