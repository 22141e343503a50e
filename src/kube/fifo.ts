/** A queue with O(1) at both ends; `Array.shift` moves all that is behind. */
export interface Fifo<T> {
  readonly length: number;
  push(item: T): void;
  shift(): T | undefined;
}

export function createFifo<T>(): Fifo<T> {
  let items: T[] = [];
  let head = 0;
  return {
    get length() {
      return items.length - head;
    },
    push: (item) => void items.push(item),
    shift: () => {
      const item = items[head];
      if (head >= items.length) return undefined;
      head += 1;
      if (head === items.length || head > 1_024) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
}
