import {
  ANNOTATION_HOOKS,
  ANNOTATION_STAMPED_FROM,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  SETTING_ANNOTATIONS,
  WORKLOAD_KINDS,
  parseHookAnnotations,
  secretName,
  type Auth,
  type CompleteAction,
  type Hook,
  type ShutdownChoice,
} from '../contract/index.ts';
import type { KubeObject, ObjectMeta } from '../kube/index.ts';
import type { ApplicationKind, BoundWorkload } from './application.ts';
import { applicationOf, CLAIMED, FINALIZER_ORPHAN, isPartOfKnownWorkload } from './member.ts';

interface PodSpec {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly volumes?: readonly { readonly secret?: { readonly secretName?: string } }[];
}

/** What is read of a workload, whatever its kind. */
export interface WorkloadObject extends KubeObject {
  readonly spec?: PodSpec & {
    readonly replicas?: number;
    readonly suspend?: boolean;
    /** Of a Job. */
    readonly parallelism?: number;
    readonly completions?: number;
    readonly template?: { readonly metadata?: ObjectMeta; readonly spec?: PodSpec };
  };
  readonly status?: {
    readonly replicas?: number;
    readonly currentNumberScheduled?: number;
    readonly desiredNumberScheduled?: number;
    readonly succeeded?: number;
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** What a workload asks for with its annotations or those of its pod template. */
export interface Asked {
  readonly hooks: readonly Hook[];
  readonly completeAction: CompleteAction;
  readonly completeWhen: string;
  readonly auth: Auth;
  readonly shutdown: ShutdownChoice;
  readonly from: 'workload' | 'template';
}

/** Annotations that a workload may carry beside a template that asks. */
const OWN_KEYS: readonly string[] = SETTING_ANNOTATIONS;

/** A workload as the API server has it now. */
export interface LiveWorkload {
  readonly ref: BoundWorkload;
  readonly resourceVersion: string;
  readonly deleting: boolean;
  /** Ms since 1970; 0: it is not being deleted. */
  readonly deletedAtMs: number;
  /** Our finalizer is on it. */
  readonly held: boolean;
  /** Its deletion leaves its dependents alone. */
  readonly orphaning: boolean;
  readonly finalizers: readonly string[];
  /** Of its pods. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** What it asks for of this Application; undefined: nothing, or it belongs to another one. */
  readonly asked: Asked | undefined;
  /** Its annotations were put there for a hand-written Application. */
  readonly claimed: boolean;
  /** Part of a workload of another kind, which makes it again. */
  readonly isPart: boolean;
  /** The Application that its own label names; undefined: it has none. */
  readonly ownLabel: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** Scaled to zero, or suspended. */
  readonly idle: boolean;
  /** How a Job or a Pod ended by itself. */
  readonly outcome: 'succeeded' | 'failed' | undefined;
  /** Pods that it has now, as far as its kind counts them in a way that can be compared with labelled ones. */
  readonly replicas: number | undefined;
  /** Pods that it wants to run now. */
  readonly wanted: number;
  /**
   * False for a Job or Pod that refers to no Secret of this Application, which can never be changed, and for a pod template that admission
   * would not stamp, because something of the user's is in the way.
   */
  readonly injected: boolean;
  /** JSON Patch that brings its stamp in order; undefined: it is. */
  readonly stampPatch: readonly unknown[] | undefined;
}

/** Reads from a workload what the plan asks about. Pure. */
export function describeWorkload(
  kind: ApplicationKind,
  object: WorkloadObject,
  application: string,
  stampPatch: readonly unknown[] | undefined,
): LiveWorkload {
  const { name = '', uid = '', resourceVersion = '', annotations, labels } = object.metadata;
  const isPart = isPartOfKnownWorkload(kind, object.metadata);
  return {
    ref: { apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind, name, uid },
    resourceVersion,
    ...describeDeletion(object.metadata),
    nodeSelector: object.spec?.template?.spec?.nodeSelector ?? {},
    asked: isPart ? undefined : readAsked(kind, object, application),
    claimed: annotations?.[ANNOTATION_STAMPED_FROM] === CLAIMED,
    isPart,
    ownLabel: labels?.[LABEL_APPLICATION],
    annotations: annotations ?? {},
    idle: isIdle(kind, object),
    outcome: outcomeOf(kind, object),
    replicas: replicasOf(kind, object),
    wanted: wantedOf(kind, object),
    injected: isInjected(kind, object, application) || (stampPatch !== undefined && !isPart),
    stampPatch: isPart ? undefined : stampPatch,
  };
}

function describeDeletion({
  deletionTimestamp,
  finalizers = [],
}: ObjectMeta): Pick<LiveWorkload, 'deleting' | 'deletedAtMs' | 'held' | 'orphaning' | 'finalizers'> {
  const deleting = deletionTimestamp !== undefined;
  return {
    deleting,
    deletedAtMs: deleting ? Date.parse(deletionTimestamp) : 0,
    held: finalizers.includes(FINALIZER_SHUTDOWN),
    orphaning: deleting && finalizers.includes(FINALIZER_ORPHAN),
    finalizers,
  };
}

function readAsked(kind: ApplicationKind, object: WorkloadObject, application: string): Asked | undefined {
  const own = object.metadata.annotations ?? {};
  if (own[ANNOTATION_HOOKS] === undefined) return askedByTemplate(object, application);
  return applicationOf(kind, object.metadata) === application ? askedOf(own, 'workload') : undefined;
}

function askedByTemplate({ metadata, spec }: WorkloadObject, application: string): Asked | undefined {
  const { labels, annotations } = spec?.template?.metadata ?? {};
  if (labels?.[LABEL_APPLICATION] !== application || annotations?.[ANNOTATION_HOOKS] === undefined) {
    return undefined;
  }
  // Copied from the workload, which has it no longer: that is a stamp to take away and no wish.
  if (annotations[ANNOTATION_STAMPED_FROM] === 'workload') return undefined;
  // The workload's own word goes before that of its template.
  const own = Object.entries(metadata.annotations ?? {}).filter(([key]) => OWN_KEYS.includes(key));
  return askedOf({ ...annotations, ...Object.fromEntries(own) }, 'template');
}

function askedOf(annotations: Readonly<Record<string, string>>, from: Asked['from']): Asked | undefined {
  const { hooks, completeAction, completeWhen, auth, shutdown } = parseHookAnnotations(annotations);
  return hooks.length === 0 ? undefined : { hooks, completeAction, completeWhen, auth, shutdown, from };
}

function isIdle(kind: ApplicationKind, { spec }: WorkloadObject): boolean {
  if (kind === 'Job') return spec?.suspend === true;
  return kind !== 'DaemonSet' && kind !== 'Pod' && (spec?.replicas ?? 1) === 0;
}

function outcomeOf(kind: ApplicationKind, { status }: WorkloadObject): LiveWorkload['outcome'] {
  const holds = (type: string) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
  if (kind === 'Job') return holds('Complete') ? 'succeeded' : holds('Failed') ? 'failed' : undefined;
  if (kind !== 'Pod') return undefined;
  return status?.phase === 'Succeeded' ? 'succeeded' : status?.phase === 'Failed' ? 'failed' : undefined;
}

function replicasOf(kind: ApplicationKind, { status }: WorkloadObject): number | undefined {
  if (kind === 'Job' || kind === 'Pod') return undefined;
  return (kind === 'DaemonSet' ? status?.currentNumberScheduled : status?.replicas) ?? 0;
}

function wantedOf(kind: ApplicationKind, object: WorkloadObject): number {
  const { spec, status } = object;
  if (isIdle(kind, object) || outcomeOf(kind, object) !== undefined) return 0;
  if (kind === 'Pod') return 1;
  if (kind === 'DaemonSet') return status?.desiredNumberScheduled ?? 0;
  return kind === 'Job' ? wantedByJob(object) : (spec?.replicas ?? 1);
}

function wantedByJob({ spec, status }: WorkloadObject): number {
  const left = (spec?.completions ?? Number.POSITIVE_INFINITY) - (status?.succeeded ?? 0);
  return Math.max(0, Math.min(spec?.parallelism ?? 1, left));
}

function isInjected(kind: ApplicationKind, { spec }: WorkloadObject, application: string): boolean {
  if (kind !== 'Job' && kind !== 'Pod') {
    return spec?.template?.metadata?.labels?.[LABEL_APPLICATION] === application;
  }
  const pod = kind === 'Job' ? spec?.template?.spec : spec;
  const wanted = secretName(application);
  return pod?.volumes?.some(({ secret }) => secret?.secretName === wanted) === true;
}
