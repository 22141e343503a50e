import type { WorkloadKind } from '../contract/index.ts';
import type { AdmissionRequest } from '../review/index.ts';
import type { SkipReason } from './decision.ts';
import { isKnownKind, type Meta } from './object-meta.ts';
import type { AdmissionSettings } from './settings.ts';

const MIRROR_POD = 'kubernetes.io/config.mirror';

/** Checks that need no look at the object. The first one that says yes ends the review. */
const REQUEST_CHECKS: readonly Check<[AdmissionRequest, AdmissionSettings]>[] = [
  ['subresource', (request) => request.subResource !== ''],
  ['unknown-kind', ({ kind }) => !isKnownKind(kind.group, kind.kind)],
  ['operation', ({ kind, operation }) => !reviewedOperations(kind.kind).includes(operation)],
  ['system-namespace', ({ namespace }, settings) => settings.excludedNamespaces.has(namespace)],
];

const OBJECT_CHECKS: readonly Check<[WorkloadKind, Meta]>[] = [
  // Finalizers must always come off, whatever the annotations say by now.
  ['being-deleted', (_kind, meta) => meta.isBeingDeleted],
  // The kubelet's picture of a static pod; nothing can be added to what runs.
  ['mirror-pod', (kind, meta) => kind === 'Pod' && meta.annotations?.[MIRROR_POD] !== undefined],
  // A Deployment's ReplicaSet has its template from there. A Job of a CronJob is an application of its own.
  ['stamped-by-owner', (kind, meta) => kind !== 'Pod' && kind !== 'Job' && meta.knownOwner !== undefined],
];

type Check<Arguments extends unknown[]> = readonly [SkipReason, (...args: Arguments) => boolean];

/** Why the request is none of ours, as far as that can be seen without the object; undefined: go on. */
export function checkRequest(request: AdmissionRequest, settings: AdmissionSettings): SkipReason | undefined {
  return REQUEST_CHECKS.find(([, applies]) => applies(request, settings))?.[0];
}

/** Why the object is left alone; undefined: go on. */
export function checkObject(kind: WorkloadKind, meta: Meta): SkipReason | undefined {
  return OBJECT_CHECKS.find(([, applies]) => applies(kind, meta))?.[0];
}

/** A running Pod is never touched. A Job's update changes its finalizer at most, and may earn a warning. */
function reviewedOperations(kind: string): readonly string[] {
  return kind === 'Pod' ? ['CREATE'] : ['CREATE', 'UPDATE'];
}
