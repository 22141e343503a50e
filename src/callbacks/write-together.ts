/** Someone who waits for an answer. */
export interface Waiting<Item, Result> {
  readonly item: Item;
  /** Only the first call counts. */
  readonly settle: (result: Result) => void;
}

export interface WriteTogetherOptions<Item, Result> {
  /** Writes all of them, and settles each. What it throws is an answer for all that are not settled. */
  readonly write: (together: readonly [Waiting<Item, Result>, ...Waiting<Item, Result>[]]) => Promise<void>;
  readonly failed: (error: unknown) => Result;
  /** Written at once at most. */
  readonly max: number;
}

/** One write at a time for each key: what comes meanwhile goes into the next one together. Never rejects. */
export function createWriteTogether<Item, Result>(
  options: WriteTogetherOptions<Item, Result>,
): (key: string, item: Item) => Promise<Result> {
  const queues = new Map<string, Waiting<Item, Result>[]>();

  async function drain(key: string, queue: Waiting<Item, Result>[]): Promise<void> {
    for (;;) {
      const [first, ...others] = queue.splice(0, options.max);
      if (first === undefined) break;
      try {
        await options.write([first, ...others]);
      } catch (error) {
        for (const one of [first, ...others]) one.settle(options.failed(error));
      }
    }
    queues.delete(key);
  }

  return (key, item) =>
    new Promise((settle) => {
      const queue = queues.get(key);
      queue?.push({ item, settle });
      if (queue !== undefined) return;
      const started = [{ item, settle }];
      queues.set(key, started);
      void drain(key, started);
    });
}
