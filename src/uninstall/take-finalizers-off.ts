import {
  isConflict,
  isNotFound,
  KubeApiError,
  type KubeClient,
  type ObjectMeta,
  type ObjectRef,
} from '../kube/index.ts';
import { insist, requestOf, type InsistDeps } from './insist.ts';

export interface TakeOffDeps extends InsistDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
}

export type TakenOff = 'taken' | 'none' | 'gone';

const ATTEMPTS = 5;

/**
 * Takes those finalizers off that `which` names and leaves all others. `known` is what a list said of the object; where it has changed since,
 * it is read again. Another object of the same name is left alone (`gone`).
 */
export async function takeFinalizersOff(
  deps: TakeOffDeps,
  ref: ObjectRef,
  known: ObjectMeta,
  which: (finalizer: string) => boolean,
): Promise<TakenOff> {
  let metadata = known;
  for (let attempt = 1; ; attempt++) {
    const body = buildRemoval(metadata, which);
    if (body === undefined) return 'none';
    try {
      await insist(deps, () => deps.client.patch(ref, { type: 'json', body }, requestOf(deps)));
      return 'taken';
    } catch (error) {
      if (isNotFound(error)) return 'gone';
      if (attempt >= ATTEMPTS || !hasChanged(error)) throw error;
      const found = await insist(deps, () =>
        deps.client.get(ref, { metadataOnly: true, ...requestOf(deps) }),
      );
      if (found === undefined || found.metadata.uid !== known.uid) return 'gone';
      metadata = found.metadata;
    }
  }
}

/** The JSON Patch; from the last to the first, so that the places of those before stay. Undefined: there is nothing to take off. */
export function buildRemoval(
  { uid, finalizers = [] }: ObjectMeta,
  which: (finalizer: string) => boolean,
): readonly object[] | undefined {
  const operations = finalizers
    .flatMap((finalizer, place) =>
      which(finalizer) ? [{ finalizer, path: `/metadata/finalizers/${place}` }] : [],
    )
    .toReversed()
    .flatMap(({ finalizer, path }) => [
      { op: 'test', path, value: finalizer },
      { op: 'remove', path },
    ]);
  if (operations.length === 0) return undefined;
  return [{ op: 'test', path: '/metadata/uid', value: uid }, ...operations];
}

/** The API server answers a JSON Patch whose `test` fails with 422. */
function hasChanged(error: unknown): boolean {
  return isConflict(error) || (error instanceof KubeApiError && error.status === 422);
}
