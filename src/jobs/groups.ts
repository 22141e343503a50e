/** Values by key, and the keys by group. */
export interface Groups<T> {
  add(group: string, key: string, value: T): void;
  remove(group: string, key: string): void;
  of(group: string): Iterable<T>;
}

export function createGroups<T>(): Groups<T> {
  const groups = new Map<string, Map<string, T>>();
  return {
    add(group, key, value) {
      const members = groups.get(group);
      if (members === undefined) groups.set(group, new Map([[key, value]]));
      else members.set(key, value);
    },
    remove(group, key) {
      const members = groups.get(group);
      members?.delete(key);
      if (members?.size === 0) groups.delete(group);
    },
    of: (group) => groups.get(group)?.values() ?? [],
  };
}
