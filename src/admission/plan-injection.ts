import { ANNOTATION_CONTAINERS, ANNOTATION_HOOKS } from '../contract/index.ts';
import { chooseContainers, type ContainerPlace } from './chosen-containers.ts';
import type { DenialReason, Problem } from './decision.ts';
import { matchEnv, matchVolume, VOLUME_NAME, type InjectedEnv, type Injection } from './injection.ts';
import type { PatchBuilder, Pointer } from './json-patch.ts';
import { matchMount, readOnlyVolumeNames } from './mount-conflict.ts';
import { readObjects, type JsonObject } from '../review/index.ts';

export interface InjectionSubject {
  /** The pod spec. */
  readonly spec: JsonObject;
  /** Where it stands in the object. */
  readonly path: Pointer;
  /** Names of the chosen containers; undefined: all regular ones. */
  readonly containers: readonly string[] | undefined;
  /** The application whose injection may be found there because the manifest was copied. */
  readonly staleApplication: string | undefined;
}

export interface InjectionResult {
  /** Something of the user's own is in the way: nothing may be written then. */
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

interface Conflict {
  readonly reason: DenialReason;
  readonly text: string;
}

/** More are not read by anyone. */
const MAX_CONFLICTS_TOLD = 4;

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
  const conflicts = planVolume(subject, injection, volumes, patch);
  for (const place of places) {
    conflicts.push(
      ...planEnv(subject, place, injection, patch),
      ...planMounts(subject, place, injection, readOnlyVolumes, patch),
    );
  }
  return { problem: toProblem(conflicts), warnings };
}

function planVolume(
  subject: InjectionSubject,
  injection: Injection,
  volumes: readonly JsonObject[] | undefined,
  patch: PatchBuilder,
): Conflict[] {
  const path = `${subject.path}/volumes`;
  const index = volumes?.findIndex(({ name }) => name === VOLUME_NAME) ?? -1;
  const existing = volumes?.[index];
  if (existing === undefined) {
    patch.append(path, volumes, [injection.volume]);
    return [];
  }
  const match = matchVolume(existing, injection, subject.staleApplication);
  if (match === 'stale') patch.replace(`${path}/${index}`, injection.volume);
  if (match !== 'foreign') return [];
  const text = `${toField(path)}[${VOLUME_NAME}] is a volume of your own: rename it`;
  return [{ reason: 'volume-conflict', text }];
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
    const wanted = injection.env.find(({ name }) => name === existing?.name);
    if (existing === undefined || wanted === undefined) continue;
    found.add(wanted);
    const match = matchEnv(existing, wanted, injection, subject.staleApplication);
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

function planMounts(
  subject: InjectionSubject,
  place: ContainerPlace,
  injection: Injection,
  readOnlyVolumes: ReadonlySet<unknown>,
  patch: PatchBuilder,
): Conflict[] {
  const path = `${subject.path}/${place.list}/${place.index}/volumeMounts`;
  const mounts = readObjects(place.container.volumeMounts, path);
  const missing = new Set(injection.mountDirectories);
  const conflicts: Conflict[] = [];
  for (const mount of mounts ?? []) {
    for (const directory of injection.mountDirectories) {
      const match = matchMount(mount, directory, readOnlyVolumes);
      if (match === 'ours') missing.delete(directory);
      if (typeof match === 'string') continue;
      const where = describeField(subject, place, 'volumeMounts', String(mount.mountPath).slice(0, 100));
      const text = `container "${place.name}": ${where} ${match.conflict}: use another path`;
      conflicts.push({ reason: 'mount-conflict', text });
    }
  }
  const entries = [...missing].map((mountPath) => ({ name: VOLUME_NAME, mountPath, readOnly: true }));
  patch.append(path, mounts, entries);
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

/** As Kubernetes writes it in its own messages. */
function toField(path: Pointer): string {
  return path.slice(1).replaceAll('/', '.');
}

function toProblem(conflicts: readonly Conflict[]): Problem | undefined {
  const first = conflicts[0];
  if (first === undefined) return undefined;
  const told = conflicts.slice(0, MAX_CONFLICTS_TOLD).map(({ text }) => text);
  const more = conflicts.length - told.length;
  const message =
    `hooks cannot be injected: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}. ` +
    (first.reason === 'volume-conflict'
      ? ''
      : `Or choose other containers with the annotation ${ANNOTATION_CONTAINERS}. `) +
    `Or leave hooks out: ${ANNOTATION_HOOKS}`;
  return { reason: first.reason, message };
}
