/** So many at the same time; further ones wait in the order they came, group by group in turn. */
export interface Places {
  /**
   * Resolves with the function that gives the place back (once; again does nothing), or with undefined when the signal is aborted first.
   *
   * @param group takes at most its part of the places; undefined: counts for itself
   */
  take(group: string | undefined, signal: AbortSignal): Promise<(() => void) | undefined>;
  readonly taken: () => number;
  readonly waiting: () => number;
}

export interface PlacesOptions {
  readonly max: number;
  readonly maxPerGroup: number;
}

type Group = string | symbol;

/** @param onChange called whenever the numbers have changed */
export function createPlaces({ max, maxPerGroup }: PlacesOptions, onChange: () => void): Places {
  const takenBy = new Map<Group, number>();
  // Maps and sets keep their order, and whoever gives up waiting is taken out in no time.
  const queues = new Map<Group, Set<() => void>>();
  let taken = 0;
  let waiting = 0;

  const hasPlace = (group: Group): boolean => taken < max && (takenBy.get(group) ?? 0) < maxPerGroup;

  const occupy = (group: Group): (() => void) => {
    taken += 1;
    takenBy.set(group, (takenBy.get(group) ?? 0) + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      taken -= 1;
      const left = (takenBy.get(group) ?? 1) - 1;
      if (left === 0) takenBy.delete(group);
      else takenBy.set(group, left);
      letIn();
      onChange();
    };
  };

  const leaveQueue = (group: Group, enter: () => void): void => {
    const queue = queues.get(group);
    if (queue?.delete(enter) !== true) return;
    waiting -= 1;
    if (queue.size === 0) queues.delete(group);
  };

  const letIn = (): void => {
    for (const [group, queue] of queues) {
      if (taken >= max) return;
      if (!hasPlace(group)) continue;
      const [enter] = queue;
      if (enter === undefined) continue;
      leaveQueue(group, enter);
      if (queues.delete(group)) queues.set(group, queue); // the others have their turn first; the loop comes to it again
      enter();
    }
  };

  return {
    taken: () => taken,
    waiting: () => waiting,
    take: (named, signal) => {
      const group: Group = named ?? Symbol('ungrouped');
      if (signal.aborted) return Promise.resolve(undefined);
      if (hasPlace(group) && !queues.has(group)) {
        const release = occupy(group);
        onChange();
        return Promise.resolve(release);
      }
      return new Promise((resolve) => {
        const enter = (): void => {
          signal.removeEventListener('abort', giveUp);
          resolve(occupy(group));
        };
        const giveUp = (): void => {
          leaveQueue(group, enter);
          onChange();
          resolve(undefined);
        };
        const queue = queues.get(group) ?? new Set();
        queues.set(group, queue.add(enter));
        waiting += 1;
        signal.addEventListener('abort', giveUp, { once: true });
        onChange();
      });
    },
  };
}
