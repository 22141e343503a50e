import type { KubeObject, Resource, WatchClient } from './kube-client.ts';
import type { ProjectionStore } from './projection-store.ts';

/** Which objects. */
export interface Selection {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly selectors: {
    readonly labelSelector?: string;
    readonly fieldSelector?: string;
    readonly metadataOnly?: boolean;
  };
}

export interface WatchLimits {
  readonly timeoutSeconds: number;
  readonly idleTimeoutMs: number;
}

/** client-go's page size. */
const PAGE_SIZE = 500;

/**
 * Reads all pages into the store and takes out what is on none of them.
 *
 * The list is consistent: at least as new as anything that was seen before, so the store never goes back in time, not even when another
 * API server with an older cache answers. (client-go starts with `resourceVersion=0`, which may.) API servers serve it from their cache all the same.
 *
 * @returns the resourceVersion to watch from
 */
export async function listInto(
  store: ProjectionStore<object>,
  client: WatchClient,
  { resource, namespace, selectors }: Selection,
  signal: AbortSignal,
): Promise<string> {
  const seen = new Set<string>();
  let next: string | undefined;
  for (;;) {
    const page = await client.list(resource, namespace, {
      ...selectors,
      limit: PAGE_SIZE,
      signal,
      ...(next === undefined ? {} : { continue: next }),
    });
    for (const object of page.items) seen.add(store.put(object));
    if (page.continue === undefined) {
      store.keepOnly(seen);
      return page.resourceVersion;
    }
    next = page.continue;
  }
}

/**
 * Brings one watch's events into the store; resolves when the API server ends it in good order, rejects when it breaks.
 *
 * @param onProgress is told each resourceVersion that the store has reached
 */
export async function watchInto(
  store: ProjectionStore<object>,
  client: WatchClient,
  { resource, namespace, selectors }: Selection,
  limits: WatchLimits & { readonly resourceVersion: string; readonly signal: AbortSignal },
  { onOpen, onProgress }: { readonly onOpen: () => void; readonly onProgress: (version: string) => void },
): Promise<void> {
  const events = await client.watch<KubeObject>(resource, namespace, { ...selectors, ...limits });
  onOpen();
  for await (const event of events) {
    if (event.type === 'ERROR') throw event.error;
    if (event.type === 'DELETED') store.remove(event.object);
    else if (event.type !== 'BOOKMARK') store.put(event.object);
    const version = event.object.metadata.resourceVersion;
    if (version !== undefined) onProgress(version);
  }
}
