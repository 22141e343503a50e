import {
  LABEL_APPLICATION,
  applicationName,
  generatedApplicationName,
  type WorkloadKind,
} from '../contract/index.ts';
import type { AdmissionRequest } from '../review/index.ts';
import type { Problem } from './decision.ts';
import type { Meta } from './object-meta.ts';

/** The application that an object belongs to, and the label that its own metadata should have (undefined: none). */
export type Naming =
  { readonly application: string; readonly ownLabel: string | undefined } | { readonly problem: Problem };

/** An Application is named so; its name is also a label value, part of a Secret's name and a URL segment. */
const VALID_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_NAME_LENGTH = 63;
/** What of `<kind>-<generateName>` surely survives in a name that was cut and hashed. */
const SURVIVING_LENGTH = 50;

/**
 * Names the application of a workload or Job, or of a Pod without an owner that we know: its own label if the user set one, else
 * `<kind>-<name>`. An object with only a generateName gets a label of ours, so that the name stays when it is asked again
 * (the API server uses a new request UID at reinvocation); a copy of such an object does not keep that label.
 *
 * @param hasOwnStamp the label beside it was written by admission, not by a user
 * @returns undefined for an object without a name, which the API server will refuse itself
 */
export function applicationOf(
  kind: WorkloadKind,
  meta: Meta,
  request: Pick<AdmissionRequest, 'uid' | 'operation'>,
  hasOwnStamp = false,
): Naming | undefined {
  const label = meta.labels?.[LABEL_APPLICATION];
  const isGenerated = label !== undefined && isGeneratedFor(kind, meta, label);
  const isCopy = isGenerated && meta.name !== undefined && request.operation === 'CREATE';
  const isUsers = label !== undefined && !isCopy && !hasOwnStamp;
  if (isUsers || (isGenerated && meta.name === undefined)) return named(label);

  if (meta.name !== undefined) {
    return { application: applicationName(kind, meta.name), ownLabel: undefined };
  }
  if (meta.generateName === undefined) return undefined;
  const application = generatedApplicationName(kind, meta.generateName, request.uid);
  return { application, ownLabel: application };
}

/** Checks a name that a label gives. */
export function named(label: string): Naming {
  if (label.length <= MAX_NAME_LENGTH && VALID_NAME.test(label))
    return { application: label, ownLabel: label };
  const message =
    `metadata.labels[${LABEL_APPLICATION}]: "${label.slice(0, MAX_NAME_LENGTH)}" is no name for an Application; ` +
    `use lower case letters, digits, "-" and ".", at most ${MAX_NAME_LENGTH}, or remove the label to get one by itself`;
  return { problem: { reason: 'invalid-application-name', message } };
}

function isGeneratedFor(kind: WorkloadKind, meta: Meta, label: string): boolean {
  if (meta.generateName === undefined) return false;
  const head = `${kind.toLowerCase()}-${meta.generateName}`.slice(0, SURVIVING_LENGTH);
  return label.startsWith(head.replace(/[-.]+$/, ''));
}
