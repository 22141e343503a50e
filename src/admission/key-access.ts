import { ANNOTATION_AUTH } from '../contract/index.ts';
import { readObject, type JsonObject } from '../review/index.ts';
import type { ContainerPlace } from './chosen-containers.ts';
import { TOKEN_VOLUME_NAME, VOLUME_NAME } from './injected-volumes.ts';

/** How the containers of a pod come to read the private key and the token, and nobody else. */
export interface KeyAccess {
  readonly mode: number;
  /** To be given to the pod; undefined: its own does, or none is needed. */
  readonly fsGroup: number | undefined;
  readonly warnings: readonly string[];
}

const FOR_GROUP = 0o440;
const FOR_ROOT = 0o400;
const FOR_ALL = 0o444;

/**
 * Volumes that an fsGroup leaves as they are, or that are made with the pod and for it alone. Of every other one the kubelet would hand each
 * file to the group: it takes long on a large volume, and what another pod wrote there is the user's.
 */
const UNHARMED_SOURCES = [
  'emptyDir',
  'configMap',
  'secret',
  'projected',
  'downwardAPI',
  'hostPath',
  'image',
] as const;

/**
 * Chooses the mode of the secret files. The kubelet makes them root's; a container with another user reads them by the pod's fsGroup, so a pod
 * without one is given ours. Where that would change files of the user's, the container is the boundary: everyone in it may read them.
 *
 * @param hasClaims the pods will have volumes beside those of the spec (`volumeClaimTemplates`)
 */
export function planKeyAccess(
  spec: JsonObject,
  field: string,
  places: readonly ContainerPlace[],
  volumes: readonly JsonObject[],
  ours: { readonly fsGroup: number; readonly hasClaims: boolean },
): KeyAccess {
  // Windows knows neither; the API server refuses an fsGroup there.
  if (readObject(spec.os, `${field}.os`)?.name === 'windows') return access(FOR_ALL);
  const security = readObject(spec.securityContext, `${field}.securityContext`);
  if (typeof security?.fsGroup === 'number') return access(FOR_GROUP);
  if (places.every(({ container }) => runAsUser(container, security) === 0)) return access(FOR_ROOT);
  const harmed = volumes.find((volume) => !isUnharmed(volume))?.name;
  if (harmed === undefined && !ours.hasClaims) return access(FOR_GROUP, ours.fsGroup);
  const what = typeof harmed === 'string' ? `the volume "${harmed.slice(0, 40)}"` : 'the claimed volumes';
  return access(FOR_ALL, undefined, [
    `every user in the container may read the private key: a group of ours would change the files of ${what}; ` +
      `set ${field}.securityContext.fsGroup, or ${ANNOTATION_AUTH}: pod-identity`,
  ]);
}

function access(mode: number, fsGroup?: number, warnings: readonly string[] = []): KeyAccess {
  return { mode, fsGroup, warnings };
}

/** The container's own goes before the pod's. Unset, the image decides, which is not known here. */
function runAsUser(container: JsonObject, security: JsonObject | undefined): unknown {
  const own = container.securityContext;
  const user = typeof own === 'object' && own !== null ? (own as JsonObject).runAsUser : undefined;
  return user ?? security?.runAsUser;
}

function isUnharmed(volume: JsonObject): boolean {
  if (volume.name === VOLUME_NAME || volume.name === TOKEN_VOLUME_NAME) return true;
  return UNHARMED_SOURCES.some((source) => Boolean(volume[source]));
}
