import { ANNOTATION_AUTH } from '../contract/index.ts';
import { chooseContainers, type ContainerPlace } from './chosen-containers.ts';
import { toProblem, type Conflict } from './conflict.ts';
import type { Problem } from './decision.ts';
import type { InjectionSubject } from './injection-subject.ts';
import type { InjectedVolume } from './injected-volumes.ts';
import type { InjectedEnv, Injection } from './injection.ts';
import { toField, type PatchBuilder } from './json-patch.ts';
import { matchEnv, matchTokenRef } from './match-injected.ts';
import { matchMount, readOnlyVolumeNames } from './mount-conflict.ts';
import { planVolumes } from './plan-volumes.ts';
import { readObjects, type JsonObject } from '../review/index.ts';

export interface InjectionResult {
  /** Something of the user's own is in the way: nothing may be written then. */
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

/**
 * Writes the injection of a pod spec into the patch: what is there already is left as it is, what is ours but of another application is
 * replaced, what is missing is appended. Asked for a spec that has it all, it writes nothing.
 */
export function planInjection(
  subject: InjectionSubject,
  injection: Injection,
  patch: PatchBuilder,
): InjectionResult {
  const { places, warnings } = chooseContainers(subject.spec, subject.path, subject.containers);
  const volumes = readObjects(subject.spec.volumes, `${subject.path}/volumes`);
  const readOnlyVolumes = readOnlyVolumeNames(volumes ?? []);
  const planned = planVolumes(subject, injection, places, volumes, patch);
  const conflicts = [...planned.conflicts];
  for (const place of places) {
    conflicts.push(
      ...planEnv(subject, place, injection, patch),
      ...planMounts(subject, place, injection, readOnlyVolumes, patch),
    );
  }
  return { problem: toProblem(conflicts), warnings: [...warnings, ...planned.warnings] };
}

function planEnv(
  subject: InjectionSubject,
  place: ContainerPlace,
  injection: Injection,
  patch: PatchBuilder,
): Conflict[] {
  const path = `${subject.path}/${place.list}/${place.index}/env`;
  const env = readObjects(place.container.env, path);
  const found = new Set<InjectedEnv>();
  const conflicts: Conflict[] = [];
  for (let index = 0; index < (env?.length ?? 0); index++) {
    const existing = env?.[index];
    if (existing === undefined) continue;
    const wanted = injection.env.find(({ name }) => name === existing.name);
    if (wanted === undefined) {
      if (refersToVoidToken(existing, subject, injection))
        conflicts.push(voidToken(subject, place, existing));
      continue;
    }
    found.add(wanted);
    const match = matchEnv(existing, wanted, place.container, injection, subject.staleApplication);
    if (match === 'stale') patch.replace(`${path}/${index}`, wanted.entry);
    if (match !== 'foreign') continue;
    const text = `container "${place.name}": ${describeField(subject, place, 'env', wanted.name)} is set by yourself, and krake-hooks sets it too: remove it`;
    conflicts.push({ reason: 'env-conflict', text });
  }
  const missing = found.size === 0 ? injection.env : injection.env.filter((wanted) => !found.has(wanted));
  const entries = missing.map(({ entry }) => entry);
  patch.append(path, env, entries);
  return conflicts;
}

/** Such a container would never start: with a pod identity the Secret has no token. A manifest that was copied may bring the reference along. */
function refersToVoidToken(existing: JsonObject, subject: InjectionSubject, injection: Injection): boolean {
  if (injection.auth !== 'pod-identity') return false;
  return matchTokenRef(existing, injection, subject.staleApplication) !== 'foreign';
}

function voidToken(subject: InjectionSubject, place: ContainerPlace, { name }: JsonObject): Conflict {
  const where = describeField(subject, place, 'env', String(name).slice(0, 63));
  const text = `container "${place.name}": ${where} refers to a token that the application does not have with ${ANNOTATION_AUTH}: pod-identity: remove it`;
  return { reason: 'env-conflict', text };
}

function planMounts(
  subject: InjectionSubject,
  place: ContainerPlace,
  injection: Injection,
  readOnlyVolumes: ReadonlySet<unknown>,
  patch: PatchBuilder,
): Conflict[] {
  const path = `${subject.path}/${place.list}/${place.index}/volumeMounts`;
  const mounts = readObjects(place.container.volumeMounts, path);
  const missing: JsonObject[] = [];
  const conflicts: Conflict[] = [];
  const plan = (volume: InjectedVolume, directory: string): void => {
    let isThere = false;
    for (const mount of mounts ?? []) {
      const match = matchMount(mount, volume.name, directory, readOnlyVolumes);
      if (match === 'ours') isThere = true;
      if (typeof match === 'string') continue;
      const where = describeField(subject, place, 'volumeMounts', String(mount.mountPath).slice(0, 100));
      const text = `container "${place.name}": ${where} ${match.conflict}: use another path`;
      conflicts.push({ reason: 'mount-conflict', text });
    }
    if (!isThere) missing.push({ name: volume.name, mountPath: directory, readOnly: true });
  };
  for (const volume of injection.volumes) {
    for (const directory of volume.directories) plan(volume, directory);
  }
  patch.append(path, mounts, missing);
  return conflicts;
}

function describeField(
  subject: InjectionSubject,
  place: ContainerPlace,
  list: string,
  entry: string,
): string {
  return `${toField(subject.path)}.${place.list}[${place.name}].${list}[${entry}]`;
}
