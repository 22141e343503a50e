import type { JsonObject } from '../review/index.ts';
import { TOKEN_VOLUME_NAME, VOLUME_NAME } from './injected-volumes.ts';
import { asObject, asObjects } from './read-leniently.ts';
import { hasOneUser } from './run-as-user.ts';

/** A volume of the user's that an fsGroup of ours would change. */
export interface HarmedVolume {
  readonly name: unknown;
  /** `disk`: its files would get another group. `modes`: the pod's owner has made them narrower than a group can read, and the kubelet would widen them. */
  readonly what: 'disk' | 'modes';
}

/**
 * Made with the pod and for it alone, or left as they are by the kubelet. Of what is neither here nor below, the kubelet would hand each file to the group:
 * it takes long on a large volume, and what another pod wrote there is the user's.
 */
const UNTOUCHED_SOURCES = ['emptyDir', 'hostPath', 'image'] as const;
/** The kubelet writes their files: root's, with the modes that the pod's owner has chosen. */
const WRITTEN_SOURCES = ['secret', 'configMap', 'downwardAPI'] as const;
/** Parts of a projected volume that the kubelet gives to the one user of all containers, where there is one, and takes no mode for then. */
const HANDED_SOURCES = ['serviceAccountToken', 'clusterTrustBundle', 'podCertificate'] as const;

/** What Kubernetes takes for files that it writes, if nothing is said. */
const DEFAULT_MODE = 0o644;
/** What the kubelet adds, with an fsGroup, to the mode of each file that it writes (`roMask` of pkg/volume/volume_linux.go). */
const ADDED_FOR_GROUP = 0o440;

/**
 * The first of the volumes that an fsGroup of ours would do harm to. The group itself does none: the kubelet starts each container with it. A mode that has 0440
 * already stays as it is; in 0400 it would become 0440, and who insists on it (ssh) refuses the file.
 *
 * A service account token, also the automatic one, becomes root's and the group's, 0640 (KEP-2451): every container's process reads it as before.
 */
export function findHarmedVolume(spec: JsonObject, volumes: readonly JsonObject[]): HarmedVolume | undefined {
  for (const volume of volumes) {
    const { name } = volume;
    if (name === VOLUME_NAME || name === TOKEN_VOLUME_NAME) continue;
    const what = harmOf(volume, spec);
    if (what !== undefined) return { name, what };
  }
  return undefined;
}

function harmOf(volume: JsonObject, spec: JsonObject): HarmedVolume['what'] | undefined {
  if (UNTOUCHED_SOURCES.some((source) => Boolean(volume[source]))) return undefined;
  const written = modesOf(volume, spec);
  if (written === undefined) return 'disk';
  return written.some((mode) => (mode & ADDED_FOR_GROUP) !== ADDED_FOR_GROUP) ? 'modes' : undefined;
}

/** Of the files that the kubelet writes; undefined: it is another kind of volume. */
function modesOf(volume: JsonObject, spec: JsonObject): number[] | undefined {
  for (const kind of WRITTEN_SOURCES) {
    const source = asObject(volume[kind]);
    if (source !== undefined) return modesOfSource(source, modeOf(source.defaultMode, DEFAULT_MODE));
  }
  const projected = asObject(volume.projected);
  if (projected === undefined) return undefined;
  const defaultMode = modeOf(projected.defaultMode, DEFAULT_MODE);
  return asObjects(projected.sources).flatMap((part) => {
    if (HANDED_SOURCES.some((kind) => Boolean(part[kind]))) return hasOneUser(spec) ? [] : [defaultMode];
    return WRITTEN_SOURCES.flatMap((kind) => {
      const source = asObject(part[kind]);
      return source === undefined ? [] : modesOfSource(source, defaultMode);
    });
  });
}

/** Without items, all of its keys are files with the default mode. */
function modesOfSource({ items }: JsonObject, defaultMode: number): number[] {
  const listed = asObjects(items);
  return listed.length === 0 ? [defaultMode] : listed.map(({ mode }) => modeOf(mode, defaultMode));
}

function modeOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
