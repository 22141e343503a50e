import type { Meta } from './object-meta.ts';
import type { StringMap } from '../review/index.ts';

/** One step of a JSON Patch (RFC 6902), of the few forms that admission needs. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** A JSON Pointer (RFC 6901), for example `/spec/containers/0/env`; keys that may hold `/` or `~` go through {@link escapeKey}. */
export type Pointer = string;

/** Entries to set (text) and to take away (undefined) of a map. */
export type MapChanges = Readonly<Record<string, string | undefined>>;

/**
 * Collects a JSON Patch step by step; nothing is ever compared with the whole object, so the cost is that of what is written. No `test`
 * steps: the API server applies the patch to the very object that it sent, nothing can come between.
 */
export interface PatchBuilder {
  readonly operations: readonly PatchOperation[];
  /** Sets a member of an object or, with the last segment `-`, appends to a list. */
  add(path: Pointer, value: unknown): void;
  /** Only for list entries that are ours and stale; members of objects are overwritten by `add`. */
  replace(path: Pointer, value: unknown): void;
  /** Takes one entry of a list away; those behind it move up. */
  remove(path: Pointer): void;
  /** Appends to the list at `path`, or makes it when there is none. */
  append(path: Pointer, existing: readonly unknown[] | undefined, items: readonly unknown[]): void;
  /** Changes labels and annotations of the metadata at `path`; what is so already is left out, missing maps are made. */
  changeMeta(
    path: Pointer,
    meta: Meta,
    changes: { readonly labels?: MapChanges; readonly annotations?: MapChanges },
  ): void;
}

export function createPatchBuilder(): PatchBuilder {
  const operations: PatchOperation[] = [];
  const add = (path: Pointer, value: unknown): void => {
    operations.push({ op: 'add', path, value });
  };

  const changeMap = (path: Pointer, existing: StringMap | undefined, changes: MapChanges): void => {
    const missing: Record<string, string> = {};
    for (const [key, value] of Object.entries(changes)) {
      const now = existing?.[key];
      if (value === undefined) {
        if (now !== undefined) operations.push({ op: 'remove', path: `${path}/${escapeKey(key)}` });
      } else if (now !== value) {
        if (existing === undefined) missing[key] = value;
        else add(`${path}/${escapeKey(key)}`, value);
      }
    }
    if (Object.keys(missing).length > 0) add(path, missing);
  };

  return {
    operations,
    add,
    replace(path, value) {
      operations.push({ op: 'replace', path, value });
    },
    remove(path) {
      operations.push({ op: 'remove', path });
    },
    append(path, existing, items) {
      if (items.length === 0) return;
      if (existing === undefined) add(path, items);
      else for (const item of items) add(`${path}/-`, item);
    },
    changeMeta(path, meta, changes) {
      const hasSets = [changes.labels, changes.annotations].some((map) =>
        Object.values(map ?? {}).some((value) => value !== undefined),
      );
      if (!meta.present && hasSets) add(path, {});
      if (changes.labels !== undefined) changeMap(`${path}/labels`, meta.labels, changes.labels);
      if (changes.annotations !== undefined) {
        changeMap(`${path}/annotations`, meta.annotations, changes.annotations);
      }
    },
  };
}

/** A key as a segment of a JSON Pointer. */
export function escapeKey(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A pointer as Kubernetes writes fields in its own messages. */
export function toField(path: Pointer): string {
  return path.slice(1).replaceAll('/', '.');
}
