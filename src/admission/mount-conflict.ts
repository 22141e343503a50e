import { posix } from 'node:path';
import type { JsonObject } from '../review/index.ts';

/** Volumes that the kubelet always mounts read-only: no directory can be made in them for another mount. */
const READ_ONLY_SOURCES = ['secret', 'configMap', 'downwardAPI', 'projected', 'image'] as const;

/** Names of the volumes in which no directory can be made. */
export function readOnlyVolumeNames(volumes: readonly JsonObject[]): ReadonlySet<unknown> {
  const isReadOnly = (volume: JsonObject): boolean =>
    READ_ONLY_SOURCES.some((source) => Boolean(volume[source]));
  return new Set(volumes.filter(isReadOnly).map(({ name }) => name));
}

export type MountMatch = 'absent' | 'ours' | { readonly conflict: string };

/**
 * Compares one existing mount with a directory where a volume of ours is to be mounted. A mount in our directory cannot be made, since ours is
 * read-only; one above it only hinders if it is read-only itself.
 */
export function matchMount(
  mount: JsonObject,
  volumeName: string,
  directory: string,
  readOnlyVolumes: ReadonlySet<unknown>,
): MountMatch {
  if (typeof mount.mountPath !== 'string') return 'absent';
  const path = normalize(mount.mountPath);
  const ours = normalize(directory);
  if (path === ours) {
    const isWhole = !mount.subPath && !mount.subPathExpr;
    if (mount.name === volumeName && isWhole) return 'ours';
    return { conflict: `mounts ${describe(mount)} where krake-hooks mounts its files, at ${directory}` };
  }
  if (path.startsWith(`${ours}/`)) {
    return {
      conflict: `mounts ${describe(mount)} inside ${directory}, where krake-hooks mounts its files read-only`,
    };
  }
  const isAbove = ours.startsWith(path === '/' ? '/' : `${path}/`);
  if (isAbove && (mount.readOnly === true || readOnlyVolumes.has(mount.name))) {
    return {
      conflict: `mounts ${describe(mount)} read-only at ${path}, so that the files of krake-hooks cannot be mounted at ${directory}`,
    };
  }
  return 'absent';
}

/** Anything that a path need not have: doubled slashes, `.` and `..`, a slash at the end. Almost no path has. */
const UNTIDY = /\/(?:\/|\.|$)/;

function normalize(path: string): string {
  if (!UNTIDY.test(path)) return path;
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function describe(mount: JsonObject): string {
  return typeof mount.name === 'string' ? `the volume "${mount.name.slice(0, 63)}"` : 'a volume';
}
