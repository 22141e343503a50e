import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from './kube-client.ts';

export interface ProjectionStoreOptions<T extends object> {
  readonly project: (object: KubeObject) => T | undefined;
  readonly onChange: (key: string, before: T | undefined, after: T | undefined) => void;
  /** `project` or `onChange` threw; what it threw is dealt with here. */
  readonly onHandlerError: (key: string, error: unknown) => void;
}

/** The projections of a resource's objects, and who is told of their changes. Never throws. */
export interface ProjectionStore<T extends object> {
  readonly entries: ReadonlyMap<string, T>;
  /** The object exists like this. Returns its key. */
  put(object: KubeObject): string;
  /** The object is gone. */
  remove(object: KubeObject): void;
  /** All objects that exist have been put; what has none of these keys is gone. */
  keepOnly(keys: ReadonlySet<string>): void;
}

export function createProjectionStore<T extends object>(
  options: ProjectionStoreOptions<T>,
): ProjectionStore<T> {
  const entries = new Map<string, T>();

  const set = (key: string, after: T | undefined): void => {
    const before = entries.get(key);
    if (before === undefined && after === undefined) return;
    if (isDeepStrictEqual(before, after)) return;
    if (after === undefined) entries.delete(key);
    else entries.set(key, after);
    try {
      options.onChange(key, before, after);
    } catch (error) {
      options.onHandlerError(key, error);
    }
  };

  return {
    entries,
    put: (object) => {
      const key = keyOf(object);
      let after: T | undefined;
      try {
        after = options.project(object);
      } catch (error) {
        // The object exists, so what was known of it is nearer to the truth than that it is gone.
        options.onHandlerError(key, error);
        return key;
      }
      set(key, after);
      return key;
    },
    remove: (object) => set(keyOf(object), undefined),
    keepOnly: (keys) => {
      for (const key of [...entries.keys()]) if (!keys.has(key)) set(key, undefined);
    },
  };
}

/** `namespace/name`, or `name` for a cluster-scoped object. */
export function keyOf({ metadata }: KubeObject): string {
  const name = metadata.name ?? '';
  return metadata.namespace === undefined ? name : `${metadata.namespace}/${name}`;
}
