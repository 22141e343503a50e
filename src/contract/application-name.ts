import { createHash } from 'node:crypto';

/** A label value holds 63 characters; an application's name is used as one. */
const MAX_NAME_LENGTH = 63;
const HASH_LENGTH = 10;
/** Kubernetes' own random suffix has five characters of this alphabet, chosen so that no words appear. */
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

/**
 * The Application's name for a workload: `<kind>-<name>` in lower case. A name over 63 characters is cut and gets a hash of the
 * whole, so that it fits a label value, a Secret name and a URL path segment, and stays the same every time.
 */
export function applicationName(kind: string, name: string): string {
  return fitLabelValue(`${kind.toLowerCase()}-${name}`);
}

/**
 * The Application's name for an object that has only a generateName: `<kind>-<generateName><suffix>`. The API server has not
 * chosen the object's name yet, so the suffix is ours: derived from the admission request's UID, the same each time one request is read.
 */
export function generatedApplicationName(kind: string, generateName: string, requestUid: string): string {
  const digest = createHash('sha256').update(requestUid).digest();
  const suffix = Array.from(digest.subarray(0, SUFFIX_LENGTH), (byte) =>
    SUFFIX_ALPHABET.charAt(byte % SUFFIX_ALPHABET.length),
  ).join('');
  return fitLabelValue(`${kind.toLowerCase()}-${generateName}${suffix}`);
}

/** The Secret that holds an Application's token and CA bundle. */
export function secretName(application: string): string {
  return `krake-hooks-${application}`;
}

function fitLabelValue(name: string): string {
  if (name.length <= MAX_NAME_LENGTH) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LENGTH);
  const head = name.slice(0, MAX_NAME_LENGTH - HASH_LENGTH - 1).replace(/[-.]+$/, '');
  return `${head}-${hash}`;
}
