import { LABEL_APPLICATION, type WorkloadKind } from '../contract/index.ts';
import type { KubeObject } from '../kube/index.ts';
import { knownController, projectMember, type Member } from './member.ts';

/** What is kept of a pod that carries the label of an Application. */
export interface LabelledPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly application: string;
  readonly createdAtMs: number;
  readonly deleting: boolean;
  /** The workload that controls it; undefined for a bare pod, or one of an owner that we do not know. */
  readonly ownerKind: WorkloadKind | undefined;
  readonly ownerName: string | undefined;
  /** The pod as a workload of its own, when it is one. */
  readonly self: Member | undefined;
}

/** Keeps what matters of a labelled pod. */
export function projectPod(object: KubeObject): LabelledPod | undefined {
  const { name, namespace, uid, labels, creationTimestamp, deletionTimestamp } = object.metadata;
  const application = labels?.[LABEL_APPLICATION];
  if (name === undefined || namespace === undefined || uid === undefined) return undefined;
  if (application === undefined || application === '') return undefined;
  const owner = knownController(object.metadata);
  return {
    namespace,
    name,
    uid,
    application,
    createdAtMs: Date.parse(creationTimestamp ?? ''),
    deleting: deletionTimestamp !== undefined,
    ownerKind: owner?.kind,
    ownerName: owner?.name,
    self: projectMember('Pod', object),
  };
}
