import { WORKLOAD_KINDS, isWorkloadKind } from '../contract/index.ts';
import {
  MalformedObjectError,
  readObject,
  readObjects,
  readString,
  readStringMap,
  type StringMap,
} from '../review/index.ts';

/** What admission reads of an object's or a template's metadata. */
export interface Meta {
  /** False when the object has no metadata at all, as a pod template may. */
  readonly present: boolean;
  readonly name: string | undefined;
  readonly generateName: string | undefined;
  readonly labels: StringMap | undefined;
  readonly annotations: StringMap | undefined;
  readonly finalizers: readonly string[] | undefined;
  /** Kind of the controlling owner when it is one of the kinds that hooks know. */
  readonly knownOwner: string | undefined;
  readonly isBeingDeleted: boolean;
}

/** Reads `metadata` of an object or a template; throws MalformedObjectError. */
export function readMeta(value: unknown, field: string): Meta {
  const meta = readObject(value, field);
  return {
    present: meta !== undefined,
    name: readString(meta?.name, `${field}.name`),
    generateName: readString(meta?.generateName, `${field}.generateName`),
    labels: readStringMap(meta?.labels, `${field}.labels`),
    annotations: readStringMap(meta?.annotations, `${field}.annotations`),
    finalizers: readStrings(meta?.finalizers, `${field}.finalizers`),
    knownOwner: readKnownOwner(meta?.ownerReferences, `${field}.ownerReferences`),
    isBeingDeleted: readString(meta?.deletionTimestamp, `${field}.deletionTimestamp`) !== undefined,
  };
}

function readStrings(value: unknown, field: string): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    throw new MalformedObjectError(field, 'a list of strings');
  }
  return value as readonly string[];
}

function readKnownOwner(value: unknown, field: string): string | undefined {
  const controller = readObjects(value, field)?.find((owner) => owner.controller === true);
  const kind = controller?.kind;
  const apiVersion = controller?.apiVersion;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return undefined;
  return isKnownKind(groupOf(apiVersion), kind) ? kind : undefined;
}

/** True for the kinds of WORKLOAD_KINDS, in whichever version of their group. */
export function isKnownKind(group: string, kind: string): boolean {
  return isWorkloadKind(kind) && groupOf(WORKLOAD_KINDS[kind].apiVersion) === group;
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
