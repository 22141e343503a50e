/** The last writes of this process, by the resourceVersion that each got. */
export interface OwnWrites {
  add(resourceVersion: string): void;
  has(resourceVersion: string): boolean;
}

/** The watch shows a write within a second or so; older ones may be forgotten, at the cost of a look too many. */
const REMEMBERED = 4096;

export function createOwnWrites(): OwnWrites {
  const versions = new Set<string>();
  return {
    add(resourceVersion) {
      versions.add(resourceVersion);
      if (versions.size <= REMEMBERED) return;
      const oldest = versions.values().next();
      if (oldest.done !== true) versions.delete(oldest.value);
    },
    has: (resourceVersion) => versions.has(resourceVersion),
  };
}
