import type { FullKubeClient, KubeObject, Resource } from '../kube/index.ts';
import { eachObject } from './each-object.ts';
import { insist, requestOf, type InsistDeps } from './insist.ts';
import { describeObject, isOurFinalizer, refOf } from './held-objects.ts';
import type { Released } from './release-everything.ts';
import { releaseUntilFree } from './release-until-free.ts';
import { takeFinalizersOff } from './take-finalizers-off.ts';

/** What a person's command works with: the API, a clock, and somebody who reads. */
export interface ToolDeps extends InsistDeps {
  readonly client: Pick<FullKubeClient, 'list' | 'get' | 'patch' | 'delete'>;
  /** One line about what was done. */
  readonly say: (line: string) => void;
}

/** Which objects are meant: those with a label, and these, whatever has become of their labels. */
export interface Selection {
  readonly resource: Resource;
  readonly labelSelector?: string;
  readonly names?: readonly { readonly name: string; readonly namespace?: string }[];
}

const PROGRESS_MS = 2_000;

export async function findObjects(deps: ToolDeps, selection: Selection): Promise<KubeObject[]> {
  const found = new Map<string, KubeObject>();
  const { resource, labelSelector } = selection;
  if (labelSelector !== undefined) {
    for await (const object of eachObject(deps, resource, labelSelector))
      found.set(object.metadata.uid ?? '', object);
  }
  for (const identity of selection.names ?? []) {
    const ref = { resource, ...identity };
    const object = await insist(deps, () => deps.client.get(ref, { metadataOnly: true, ...requestOf(deps) }));
    if (object !== undefined) found.set(object.metadata.uid ?? '', object);
  }
  return [...found.values()];
}

/** Deletes what is found, finalizers of ours first. Resolves with how many there were; they may still be on their way out. */
export async function removeObjects(deps: ToolDeps, selection: Selection): Promise<number> {
  const objects = await findObjects(deps, selection);
  for (const object of objects) {
    await removeObject(deps, selection.resource, object);
    deps.say(`deleted ${describeObject(selection.resource, object.metadata)}`);
  }
  return objects.length;
}

export async function removeObject(
  deps: ToolDeps,
  resource: Resource,
  { metadata }: KubeObject,
): Promise<void> {
  const ref = refOf(resource, metadata);
  await takeFinalizersOff(deps, ref, metadata, isOurFinalizer);
  const { uid = '', deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return;
  await insist(deps, () =>
    deps.client.delete(ref, { uid, propagationPolicy: 'Background', ...requestOf(deps) }),
  );
}

/** Takes all finalizers off and tells of it as it goes on. @throws when some could not be taken off, with the first reasons */
export async function releaseAndTell(deps: ToolDeps): Promise<Released> {
  const startedAt = deps.clock.monotonic();
  let toldAt = startedAt;
  const onProgress = (taken: number): void => {
    if (deps.clock.monotonic() - toldAt < PROGRESS_MS) return;
    toldAt = deps.clock.monotonic();
    deps.say(`  ${taken} finalizers taken off so far`);
  };
  const released = await releaseUntilFree({ ...deps, onProgress }, { secrets: 'all', applications: 'all' });
  const counts = Object.entries(released.taken).map(([resource, count]) => `${count} ${resource}`);
  const seconds = ((deps.clock.monotonic() - startedAt) / 1_000).toFixed(1);
  deps.say(
    counts.length === 0
      ? 'no object has a finalizer of ours'
      : `finalizers taken off: ${counts.join(', ')} (${seconds} s)`,
  );
  return released;
}
