/** Keys with the time at which each is due; a key is in it once, with the earliest time that it was given. */
export interface DelayHeap<K extends string> {
  readonly size: number;
  push(key: K, dueAt: number): void;
  /** Takes out one key that is due. */
  popDue(now: number): K | undefined;
  /** When the next key is due. */
  nextAt(): number | undefined;
}

interface Entry<K> {
  readonly key: K;
  readonly dueAt: number;
}

/** A binary heap. A key that is given an earlier time gets a second entry; the first one is skipped when it comes up. */
export function createDelayHeap<K extends string>(): DelayHeap<K> {
  const due = new Map<K, number>();
  let heap: Entry<K>[] = [];

  const at = (index: number): Entry<K> => heap[index] as Entry<K>;
  const swap = (a: number, b: number): void => {
    const entry = at(a);
    heap[a] = at(b);
    heap[b] = entry;
  };

  const insert = (entry: Entry<K>): void => {
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (at(parent).dueAt <= entry.dueAt) return;
      swap(index, parent);
      index = parent;
    }
  };

  const removeTop = (): void => {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let index = 0; ;) {
      const left = 2 * index + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && at(right).dueAt < at(left).dueAt ? right : left;
      if (at(child).dueAt >= at(index).dueAt) return;
      swap(index, child);
      index = child;
    }
  };

  const top = (): Entry<K> | undefined => {
    while (heap.length > 0) {
      const entry = at(0);
      if (due.get(entry.key) === entry.dueAt) return entry;
      removeTop();
    }
    return undefined;
  };

  return {
    get size() {
      return due.size;
    },
    push: (key, dueAt) => {
      const known = due.get(key);
      if (known !== undefined && known <= dueAt) return;
      due.set(key, dueAt);
      if (heap.length > 2 * due.size + 64) {
        // Mostly skipped entries: build it anew from what counts.
        heap = [];
        for (const [each, time] of due) insert({ key: each, dueAt: time });
      } else {
        insert({ key, dueAt });
      }
    },
    popDue: (now) => {
      const entry = top();
      if (entry === undefined || entry.dueAt > now) return undefined;
      removeTop();
      due.delete(entry.key);
      return entry.key;
    },
    nextAt: () => top()?.dueAt,
  };
}
