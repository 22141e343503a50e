/**
 * JSON Patch (RFC 6902) of an object as it was read. The version is written, not tested: an outdated one is then a conflict (409), and 422 is left for
 * what is refused.
 */
export function asRead(resourceVersion: string, operations: readonly unknown[]): readonly unknown[] {
  return [{ op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion }, ...operations];
}
