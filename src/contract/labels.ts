/** The API group of everything that users write and see. */
export const GROUP = 'hooks.krake.dev';

/** Label on a namespace, value `"true"`: its workloads may use hooks. */
export const LABEL_ENABLED = `${GROUP}/enabled`;

/**
 * Label on a pod template, written by admission: the name of the Application that the pods belong to. A user may set it on
 * workloads (metadata.labels) to make several of them one Application.
 */
export const LABEL_APPLICATION = `${GROUP}/application`;

/** Annotation on a workload or pod template: comma list of hooks, `complete[,shutdown]`. */
export const ANNOTATION_HOOKS = `${GROUP}/hooks`;

/** Annotation: comma list of the containers (init containers included) that get the injection; default: all regular ones. */
export const ANNOTATION_CONTAINERS = `${GROUP}/containers`;

/** Annotation on a workload: what a complete signal does, one of {@link COMPLETE_ACTIONS}. */
export const ANNOTATION_COMPLETE_ACTION = `${GROUP}/complete-action`;

/**
 * Annotation on a pod template, written with the stamp: where its hooks annotation came from. `workload`: copied from the
 * workload's own annotations, so it goes when they go; `template`: the user wrote it into the template, only the label is ours.
 */
export const ANNOTATION_STAMPED_FROM = `${GROUP}/stamped-from`;

/** All annotations a user may write; anything else under the group is answered with a warning. */
export const USER_ANNOTATIONS = [
  ANNOTATION_HOOKS,
  ANNOTATION_CONTAINERS,
  ANNOTATION_COMPLETE_ACTION,
] as const;

/** `app.kubernetes.io/managed-by` value on the objects that the controller makes. */
export const MANAGED_BY = 'krake-hooks';

export const HOOKS = ['complete', 'shutdown'] as const;
export type Hook = (typeof HOOKS)[number];

export const COMPLETE_ACTIONS = ['delete', 'scale-to-zero', 'none'] as const;
export type CompleteAction = (typeof COMPLETE_ACTIONS)[number];

/** Kinds that are stamped or injected, with their API version and plural (REST resource). */
export const WORKLOAD_KINDS = {
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments' },
  StatefulSet: { apiVersion: 'apps/v1', plural: 'statefulsets' },
  DaemonSet: { apiVersion: 'apps/v1', plural: 'daemonsets' },
  ReplicaSet: { apiVersion: 'apps/v1', plural: 'replicasets' },
  ReplicationController: { apiVersion: 'v1', plural: 'replicationcontrollers' },
  Job: { apiVersion: 'batch/v1', plural: 'jobs' },
  CronJob: { apiVersion: 'batch/v1', plural: 'cronjobs' },
  Pod: { apiVersion: 'v1', plural: 'pods' },
} as const;
export type WorkloadKind = keyof typeof WORKLOAD_KINDS;

export function isWorkloadKind(kind: string): kind is WorkloadKind {
  return Object.hasOwn(WORKLOAD_KINDS, kind);
}

/** Namespaces that hooks never touch, whatever their labels say (the service's own namespace is added to these). */
export const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease'] as const;
