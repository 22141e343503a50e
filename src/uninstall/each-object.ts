import { isNotFound, KubeApiError, type KubeObject, type Resource, type WatchClient } from '../kube/index.ts';
import { insist, requestOf, type InsistDeps } from './insist.ts';

export interface EachObjectDeps extends InsistDeps {
  readonly client: Pick<WatchClient, 'list'>;
}

const PAGE = 500;
/** A list that has become too old while its pages were worked on is begun anew. */
const RESTARTS = 5;

/**
 * The metadata of all objects in all namespaces, page by page; whoever repeats them after a restart does no harm. None where the API server does
 * not know the resource (any more).
 */
export async function* eachObject(
  deps: EachObjectDeps,
  resource: Resource,
  labelSelector?: string,
): AsyncGenerator<KubeObject> {
  let token: string | undefined;
  for (let restarts = 0; ;) {
    const options = {
      metadataOnly: true,
      limit: PAGE,
      ...requestOf(deps),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(token === undefined ? {} : { continue: token }),
    };
    try {
      const page = await insist(deps, () => deps.client.list(resource, undefined, options));
      yield* page.items;
      token = page.continue;
      if (token === undefined) return;
    } catch (error) {
      if (isNotFound(error)) return;
      const expired = error instanceof KubeApiError && error.status === 410;
      if (!expired || restarts >= RESTARTS) throw error;
      restarts += 1;
      token = undefined;
    }
  }
}
