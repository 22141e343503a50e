/** The API group of everything that users write and see. */
export const GROUP = 'hooks.krake.dev';
/** For commands that people copy: kubectl takes `applications` alone for those of Argo CD where that is installed. */
export const APPLICATIONS_IN_FULL = `applications.${GROUP}`;

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

/** Annotation: whose signal completes the application, `any`, `all` or a number of pods; more than `any` needs a pod identity. */
export const ANNOTATION_COMPLETE_WHEN = `${GROUP}/complete-when`;

/** Annotation: what the application proves itself with, one of {@link AUTHS}. */
export const ANNOTATION_AUTH = `${GROUP}/auth`;

/**
 * Annotation on a pod template, written with the stamp: where its hooks annotation came from. `workload`: copied from the
 * workload's own annotations, so it goes when they go; `template`: the user wrote it into the template, only the label is ours.
 */
export const ANNOTATION_STAMPED_FROM = `${GROUP}/stamped-from`;

/**
 * Annotation: where the application is asked to shut down, `[http://|https://]NAME[:PORT][/PATH]`: a Service of its namespace, or `pod:PORT[/PATH]`
 * for each pod itself. Default: the Service `shutdown`, its first port, path `/shutdown` (Krake's convention).
 */
export const ANNOTATION_SHUTDOWN_SERVICE = `${GROUP}/shutdown-service`;

/** Annotation: how long the goodbye is awaited, `60s`, `5m` or `PT5M`; default {@link DEFAULT_SHUTDOWN}. */
export const ANNOTATION_SHUTDOWN_TIMEOUT = `${GROUP}/shutdown-timeout`;

/** Annotation: how often a deadline that has passed is followed by another round, 0 to {@link MAX_SHUTDOWN_RETRIES}. */
export const ANNOTATION_SHUTDOWN_RETRIES = `${GROUP}/shutdown-retries`;

/** Annotation: what follows when the last deadline has passed, one of {@link SHUTDOWN_FAILURES}. */
export const ANNOTATION_SHUTDOWN_FAILURE = `${GROUP}/shutdown-failure`;

/** Annotation: comma list of {@link SHUTDOWN_CAUSES} before which the application is asked. */
export const ANNOTATION_SHUTDOWN_ON = `${GROUP}/shutdown-on`;

/** Annotation, `pod` form only: how many of the asked pods have to confirm: `all`, `any` or a number. */
export const ANNOTATION_SHUTDOWN_WHEN = `${GROUP}/shutdown-when`;

/**
 * Annotation on an Application, by a person: `retry`, `release`, `cancel`, `migrate` or `migrate:KEY=VALUE[,KEY=VALUE]` (a node selector), `rotate`
 * or `rotate:DURATION` (a new token and certificate; how long the old ones are still taken). The controller carries it out and takes it away.
 */
export const ANNOTATION_REQUEST = `${GROUP}/request`;
export const REQUESTS = ['retry', 'release', 'cancel', 'migrate', 'rotate'] as const;
export type PersonRequest = (typeof REQUESTS)[number];

/** Finalizer on workloads, Applications and their Secrets: they stay until the application has said goodbye. */
export const FINALIZER_SHUTDOWN = `${GROUP}/shutdown`;

/** The annotations that say how an application wants to be asked to shut down. */
export const SHUTDOWN_ANNOTATIONS = [
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  ANNOTATION_SHUTDOWN_RETRIES,
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_ON,
  ANNOTATION_SHUTDOWN_WHEN,
] as const;

/** What an application wants done, beside which hooks it wants where; no pod needs to know it. */
export const SETTING_ANNOTATIONS = [
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_COMPLETE_WHEN,
  ...SHUTDOWN_ANNOTATIONS,
] as const;

/** What the pods of an application are given, and which of their containers: the annotations that a stamp copies into a pod template. */
export const TEMPLATE_ANNOTATIONS = [ANNOTATION_HOOKS, ANNOTATION_CONTAINERS, ANNOTATION_AUTH] as const;

/** All annotations a user may write; anything else under the group is answered with a warning. */
export const USER_ANNOTATIONS = [...TEMPLATE_ANNOTATIONS, ...SETTING_ANNOTATIONS] as const;

/** `app.kubernetes.io/managed-by` value on the objects that the controller makes. */
export const MANAGED_BY = 'krake-hooks';

export const HOOKS = ['complete', 'shutdown'] as const;
export type Hook = (typeof HOOKS)[number];

export const COMPLETE_ACTIONS = ['delete', 'scale-to-zero', 'none'] as const;
export type CompleteAction = (typeof COMPLETE_ACTIONS)[number];

/** `token`: Krake's, from its Secret, with its certificate. `pod-identity`: a projected service account token; nothing secret is stored. */
export const AUTHS = ['token', 'pod-identity'] as const;
export type Auth = (typeof AUTHS)[number];

/** Whose signals count, of `complete` and of the `pod` form of shutdown: `any`, `all` or a number of pods. */
export const COUNT_OF_PODS = /^(?:all|any|[1-9]\d{0,3})$/;

/** Why a pod is about to go. `deletion`: somebody deletes it, its owner or its namespace; `scale-down`: its owner needs it no more. */
export const SHUTDOWN_CAUSES = ['deletion', 'eviction', 'scale-down'] as const;
export type ShutdownCause = (typeof SHUTDOWN_CAUSES)[number];

export const SHUTDOWN_FAILURES = ['delete', 'give-up'] as const;
export type ShutdownFailure = (typeof SHUTDOWN_FAILURES)[number];

export const MAX_SHUTDOWN_RETRIES = 10;
export const MAX_SHUTDOWN_TIMEOUT_MS = 86_400_000;

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
