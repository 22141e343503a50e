/**
 * Tells the writes of this process from those of others, so that a watch does not wake anybody for what was written here. The watch may be faster
 * than the answer to the write: what it shows of a key during a pass is judged when the pass is over and all answers are there.
 */
export interface OwnWrites {
  /** A pass begins; one at a time for each key. */
  begin(key: string): void;
  /** This process has written it; by the resourceVersion that it got. */
  add(resourceVersion: string): void;
  /** The watch shows this. False: it was written here, or `end` tells of it. */
  isForeign(key: string, resourceVersion: string): boolean;
  /** The pass is over. True: somebody else has written meanwhile. */
  end(key: string): boolean;
}

/** The watch shows a write within a second or so; older ones may be forgotten, at the cost of a look too many. */
const REMEMBERED = 4096;

export function createOwnWrites(): OwnWrites {
  const versions = new Set<string>();
  const shown = new Map<string, Set<string>>();
  return {
    begin(key) {
      shown.set(key, new Set());
    },
    add(resourceVersion) {
      versions.add(resourceVersion);
      if (versions.size <= REMEMBERED) return;
      const oldest = versions.values().next();
      if (oldest.done !== true) versions.delete(oldest.value);
    },
    isForeign(key, resourceVersion) {
      if (versions.has(resourceVersion)) return false;
      const duringPass = shown.get(key);
      duringPass?.add(resourceVersion);
      return duringPass === undefined;
    },
    end(key) {
      const duringPass = shown.get(key) ?? new Set();
      shown.delete(key);
      return [...duringPass].some((resourceVersion) => !versions.has(resourceVersion));
    },
  };
}
