import type { JsonObject } from '../review/index.ts';
import type { ContainerPlace } from './chosen-containers.ts';
import type { Conflict } from './conflict.ts';
import type { InjectionSubject } from './injection-subject.ts';
import type { Injection } from './injection.ts';
import { toField, type PatchBuilder } from './json-patch.ts';
import { planKeyAccess, type KeyAccess } from './key-access.ts';
import { matchVolume } from './match-injected.ts';

export interface VolumePlan {
  readonly conflicts: readonly Conflict[];
  readonly warnings: readonly string[];
}

/** A CA bundle is for everyone, and the kubelet itself sees to who may read the token of a pod's identity. */
const ANYONE: KeyAccess = { mode: 0o444, fsGroup: undefined, warnings: [] };

/** Writes the volumes into the patch and, where it takes one, the group that may read them. */
export function planVolumes(
  subject: InjectionSubject,
  injection: Injection,
  places: readonly ContainerPlace[],
  volumes: readonly JsonObject[] | undefined,
  patch: PatchBuilder,
): VolumePlan {
  const access = accessOf(subject, injection, places, volumes);
  const path = `${subject.path}/volumes`;
  const missing: JsonObject[] = [];
  const conflicts: Conflict[] = [];
  let isChanged = false;
  for (const wanted of injection.volumes) {
    const index = volumes?.findIndex(({ name }) => name === wanted.name) ?? -1;
    const existing = volumes?.[index];
    const match = existing && matchVolume(existing, wanted, injection, subject.staleApplication);
    isChanged ||= match !== 'ours';
    if (match === undefined) missing.push(wanted.entry(access.mode));
    else if (match === 'stale') patch.replace(`${path}/${index}`, wanted.entry(access.mode));
    else if (match === 'foreign') {
      const text = `${toField(path)}[${wanted.name}] is a volume of your own: rename it`;
      conflicts.push({ reason: 'volume-conflict', text });
    }
  }
  patch.append(path, volumes, missing);
  if (isChanged && access.fsGroup !== undefined) giveGroup(subject, access.fsGroup, patch);
  return { conflicts, warnings: access.warnings };
}

function accessOf(
  { spec, path, hasClaims = false }: InjectionSubject,
  { auth, fsGroup }: Injection,
  places: readonly ContainerPlace[],
  volumes: readonly JsonObject[] | undefined,
): KeyAccess {
  if (auth === 'pod-identity') return ANYONE;
  return planKeyAccess(spec, toField(path), places, volumes ?? [], { fsGroup, hasClaims });
}

function giveGroup({ spec, path }: InjectionSubject, fsGroup: number, patch: PatchBuilder): void {
  if (spec.securityContext) patch.add(`${path}/securityContext/fsGroup`, fsGroup);
  else patch.add(`${path}/securityContext`, { fsGroup });
}
