import { FINALIZER_SHUTDOWN, LABEL_APPLICATION } from '../../src/contract/index.ts';
import type { RecordedObject, Violation } from './history.ts';
import { isInhabited, mayGo } from './may-go.ts';
import { applicationAt, isThereAt, versionAt, type Life, type Version, type World } from './world.ts';

const RULE = 'goodbye-first';

/** No pod that runs goes, and no workload is let go of, before the application has said goodbye or need not. */
export function checkGoodbyeFirst(world: World, exempt: ReadonlySet<string>): Violation[] {
  return [
    ...world.pods.filter(({ uid }) => !exempt.has(uid)).flatMap((pod) => checkPod(world, pod)),
    ...world.lives
      .filter(({ kind }) => kind !== 'Pod' && kind !== 'Application' && kind !== 'Secret')
      .flatMap((life) => checkWorkload(world, life, exempt)),
  ];
}

function checkPod(world: World, pod: Life): Violation[] {
  const removed = removalOf(pod);
  if (removed === undefined) return [];
  const before = versionAt(pod, removed.revision - 1);
  if (before === undefined || !isInhabited(before.object)) return [];
  const why = whyNot(world, pod, removed.revision);
  return why === undefined
    ? []
    : [{ rule: RULE, text: `pod ${pod.name} (${pod.uid}) goes at revision ${removed.revision}: ${why}` }];
}

/** It begins to terminate, or is gone at once. */
function removalOf(pod: Life): Version | undefined {
  return pod.versions.find(({ object }) => object.metadata.deletionTimestamp !== undefined) ?? pod.deleted;
}

function whyNot(world: World, pod: Life, revision: number): string | undefined {
  const name = pod.versions.at(-1)?.object.metadata.labels?.[LABEL_APPLICATION];
  if (name === undefined) return undefined;
  const app = applicationAt(world, pod.namespace, name, revision);
  if (app === undefined) return undefined;
  // The one in force just before: what lets a pod go is stored before it goes.
  const version = versionAt(app, revision - 1);
  const createdAt = pod.versions[0]?.object.metadata.creationTimestamp;
  if (version === undefined || mayGo(version.object, pod.uid, createdAt)) return undefined;
  return `Application ${name} does not let it go (its version ${version.revision})`;
}

/** Our finalizer comes off while it is being deleted. */
function checkWorkload(world: World, workload: Life, exempt: ReadonlySet<string>): Violation[] {
  const letGo = letGoOf(workload);
  if (letGo === undefined) return [];
  return world.pods.flatMap((pod) => {
    if (exempt.has(pod.uid) || !isThereAt(pod, letGo.revision) || rootOf(world, pod) !== workload.uid)
      return [];
    const version = versionAt(pod, letGo.revision);
    if (version === undefined || !isInhabited(version.object)) return [];
    const why = whyNot(world, pod, letGo.revision);
    const what = `${workload.kind} ${workload.name} is let go at revision ${letGo.revision} with its pod ${pod.name}`;
    return why === undefined ? [] : [{ rule: RULE, text: `${what}: ${why}` }];
  });
}

function letGoOf({ versions, deleted }: Life): Version | undefined {
  const held = versions.find(
    ({ object }) => object.metadata.deletionTimestamp !== undefined && isHeld(object),
  );
  if (held === undefined) return undefined;
  return versions.find((version) => version.revision > held.revision && !isHeld(version.object)) ?? deleted;
}

function isHeld({ metadata }: RecordedObject): boolean {
  return metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true;
}

function rootOf({ lives }: World, pod: Life): string {
  let uid = pod.uid;
  for (let depth = 0; depth < 4; depth++) {
    const life = lives.find((candidate) => candidate.uid === uid);
    const owner = life?.versions[0]?.object.metadata.ownerReferences?.find(
      ({ controller }) => controller === true,
    );
    if (owner === undefined) break;
    uid = owner.uid;
  }
  return uid;
}
