import { isDeepStrictEqual } from 'node:util';
import {
  ANNOTATION_CONTAINERS,
  ANNOTATION_HOOKS,
  ANNOTATION_STAMPED_FROM,
  DEFAULT_SHUTDOWN,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  applicationName,
  isWorkloadKind,
  parseHookAnnotations,
  type Auth,
  type CompleteAction,
  type Hook,
  type ShutdownChoice,
  type WorkloadKind,
} from '../contract/index.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../kube/index.ts';
import type { ApplicationKind } from './application.ts';

/** What is kept of an annotated workload: flat and small, there may be ten thousand. */
export interface Member {
  readonly kind: ApplicationKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Name of the Application that it belongs to. */
  readonly application: string;
  /** Enabled hooks, in order, joined by commas. */
  readonly hooks: string;
  readonly containers: string | undefined;
  readonly completeAction: CompleteAction;
  readonly completeWhen: string;
  readonly auth: Auth;
  readonly shutdown: ShutdownChoice;
  /** Grows with each change of the spec, so that a change of the status alone is none. */
  readonly generation: number;
  readonly deleting: boolean;
  /** Our finalizer is on it. */
  readonly held: boolean;
  /** Its dependents are being let go, before it goes itself. */
  readonly orphaning: boolean;
  /** Annotated by us, because a hand-written Application lists it. */
  readonly claimed: boolean;
  /** resourceVersion of a Job or Pod, whose end stands in its status; empty for others. */
  readonly revision: string;
}

/** Kubernetes' own finalizer of a deletion with propagationPolicy Orphan, until the dependents have been let go. */
export const FINALIZER_ORPHAN = 'orphan';

/** Value of `stamped-from` on a workload itself: a hand-written Application put the annotations there. */
export const CLAIMED = 'application';

/** An Application's name: a label value, part of a Secret's name and a URL segment. */
const VALID_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Keeps what matters of an annotated workload, or one that our finalizer holds; undefined for any other, one that is part of another workload (a Deployment's
 * ReplicaSet carries its annotations too), and one whose label is no valid name, which admission refuses.
 */
export function projectMember(kind: ApplicationKind, object: KubeObject): Member | undefined {
  const { name, namespace, uid, annotations, generation, deletionTimestamp, finalizers } = object.metadata;
  if (name === undefined || namespace === undefined || uid === undefined) return undefined;
  const hasFinalizer = (name: string) => finalizers?.includes(name) === true;
  const held = hasFinalizer(FINALIZER_SHUTDOWN);
  const concernsUs = held || annotations?.[ANNOTATION_HOOKS] !== undefined;
  if (!concernsUs || isPartOfKnownWorkload(kind, object.metadata)) return undefined;
  const application = applicationOf(kind, object.metadata);
  if (application === undefined) return undefined;
  const request = parseHookAnnotations(annotations);
  return {
    kind,
    namespace,
    name,
    uid,
    application,
    hooks: joinHooks(request.hooks),
    containers: annotations?.[ANNOTATION_CONTAINERS],
    completeAction: request.completeAction,
    completeWhen: request.completeWhen,
    auth: request.auth,
    shutdown: shared(request.shutdown),
    generation: generation ?? 0,
    deleting: deletionTimestamp !== undefined,
    held,
    orphaning: hasFinalizer(FINALIZER_ORPHAN),
    claimed: isClaimed(object.metadata),
    revision: kind === 'Job' || kind === 'Pod' ? (object.metadata.resourceVersion ?? '') : '',
  };
}

function isClaimed({ annotations }: ObjectMeta): boolean {
  return annotations?.[ANNOTATION_STAMPED_FROM] === CLAIMED;
}

/** Most have the defaults, so that ten thousand members share them. */
function shared(choice: ShutdownChoice): ShutdownChoice {
  return isDeepStrictEqual(choice, DEFAULT_SHUTDOWN) ? DEFAULT_SHUTDOWN : choice;
}

/** The Application that a workload belongs to; undefined: its label is no valid name. */
export function applicationOf(kind: WorkloadKind, metadata: ObjectMeta): string | undefined {
  const label = metadata.labels?.[LABEL_APPLICATION];
  if (label === undefined || label === '') return applicationName(kind, metadata.name ?? '');
  return VALID_NAME.test(label) ? label : undefined;
}

/** True when its controller is a workload itself. A CronJob is no application, so its Jobs are parts of none. */
export function isPartOfKnownWorkload(kind: WorkloadKind, metadata: ObjectMeta): boolean {
  const owner = knownController(metadata);
  return owner !== undefined && !(kind === 'Job' && owner.kind === 'CronJob');
}

/** The owner that controls the object, if it is of a kind that we know. */
export function knownController(
  metadata: ObjectMeta,
): (OwnerReference & { readonly kind: WorkloadKind }) | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined || !isWorkloadKind(owner.kind)) return undefined;
  const isSameGroup = groupOf(owner.apiVersion) === groupOf(WORKLOAD_KINDS[owner.kind].apiVersion);
  return isSameGroup ? { ...owner, kind: owner.kind } : undefined;
}

// The four sets of hooks there are, so that ten thousand members share their text.
const JOINED = ['', 'complete', 'shutdown', 'complete,shutdown'] as const;

function joinHooks(hooks: readonly Hook[]): string {
  const joined = hooks.join(',');
  return JOINED.find((known) => known === joined) ?? joined;
}

function groupOf(apiVersion: string): string {
  return apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
}
