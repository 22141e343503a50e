import { ANNOTATION_AUTH } from '../contract/index.ts';
import { readObject, type JsonObject } from '../review/index.ts';
import type { ContainerPlace } from './chosen-containers.ts';
import { findHarmedVolume, type HarmedVolume } from './find-harmed-volume.ts';
import { runAsUser } from './run-as-user.ts';

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
  const harmed = findHarmedVolume(spec, volumes);
  if (harmed === undefined && !ours.hasClaims) return access(FOR_GROUP, ours.fsGroup);
  return access(FOR_ALL, undefined, [
    `every user in the container may read the private key: a group of ours would change ${whatOf(harmed)}; ` +
      `set ${field}.securityContext.${harmed?.what === 'modes' ? 'runAsUser: 0 if root runs it' : 'fsGroup'}, or ${ANNOTATION_AUTH}: pod-identity`,
  ]);
}

function access(mode: number, fsGroup?: number, warnings: readonly string[] = []): KeyAccess {
  return { mode, fsGroup, warnings };
}

/** Undefined: volumes that come with the pods. */
function whatOf(harmed: HarmedVolume | undefined): string {
  if (typeof harmed?.name !== 'string') return 'the files of the claimed volumes';
  return `the ${harmed.what === 'modes' ? 'file modes' : 'files'} of the volume "${harmed.name.slice(0, 40)}"`;
}
