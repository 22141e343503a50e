/** So many at the same time; further ones wait in the order they came, group by group in turn, and within a group member by member. */
export interface Places {
  /** Resolves with the function that gives the place back (once; again does nothing), or with undefined when the signal is aborted first. */
  take(of: PlaceHolder, signal: AbortSignal): Promise<(() => void) | undefined>;
  readonly taken: () => number;
  readonly waiting: () => number;
}

/** Whoever names no group, or no member, counts for itself. */
export interface PlaceHolder {
  readonly group?: string | undefined;
  /** Within the group. */
  readonly member?: string | undefined;
}

export interface PlacesOptions {
  readonly max: number;
  /** A group has at most this part of what the other groups leave, so that several of them do not take all either. One place it always may have. */
  readonly groupShare: number;
  /** Likewise a member, of what its group may have and the group's others leave. */
  readonly memberShare: number;
}

type Key = string | symbol;

interface Group {
  taken: number;
  readonly takenBy: Map<Key, number>;
  /** Maps and sets keep their order, and whoever gives up waiting is taken out in no time. */
  readonly queues: Map<Key, Set<() => void>>;
}

/** @param onChange called whenever the numbers have changed */
export function createPlaces(options: PlacesOptions, onChange: () => void): Places {
  const groups = new Map<Key, Group>();
  const queued = new Map<Key, Group>();
  let taken = 0;
  let waiting = 0;

  const groupLimit = (group: Group): number =>
    shareOf(options.max - (taken - group.taken), options.groupShare);

  const groupHasPlace = (group: Group): boolean => taken < options.max && group.taken < groupLimit(group);

  const memberHasPlace = (group: Group, member: Key): boolean => {
    const own = group.takenBy.get(member) ?? 0;
    return own < shareOf(groupLimit(group) - (group.taken - own), options.memberShare);
  };

  const occupy = (key: Key, group: Group, member: Key): (() => void) => {
    add(group, member, 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      add(group, member, -1);
      forgetIdle(key, group);
      letIn();
      onChange();
    };
  };

  const add = (group: Group, member: Key, count: 1 | -1): void => {
    taken += count;
    group.taken += count;
    const own = (group.takenBy.get(member) ?? 0) + count;
    if (own === 0) group.takenBy.delete(member);
    else group.takenBy.set(member, own);
  };

  const leaveQueue = (key: Key, group: Group, member: Key, enter: () => void): void => {
    const queue = group.queues.get(member);
    if (queue?.delete(enter) !== true) return;
    waiting -= 1;
    if (queue.size === 0) group.queues.delete(member);
    if (group.queues.size === 0) queued.delete(key);
  };

  const forgetIdle = (key: Key, group: Group): void => {
    if (group.taken === 0 && group.queues.size === 0) groups.delete(key);
  };

  const letIn = (): void => {
    for (const [key, group] of queued) {
      if (taken >= options.max) return;
      if (!groupHasPlace(group)) continue;
      const member = [...group.queues.keys()].find((candidate) => memberHasPlace(group, candidate));
      if (member === undefined) continue;
      const queue = group.queues.get(member);
      const [enter] = queue ?? [];
      if (queue === undefined || enter === undefined) continue;
      leaveQueue(key, group, member, enter);
      // The others have their turn first; the loop comes to the group again.
      if (group.queues.delete(member)) group.queues.set(member, queue);
      if (queued.delete(key)) queued.set(key, group);
      enter();
    }
  };

  return {
    taken: () => taken,
    waiting: () => waiting,
    take: (of, signal) => {
      if (signal.aborted) return Promise.resolve(undefined);
      const key: Key = of.group ?? Symbol('ungrouped');
      const member: Key = of.member ?? Symbol('alone');
      const group: Group = groups.get(key) ?? { taken: 0, takenBy: new Map(), queues: new Map() };
      groups.set(key, group);
      // Whoever else waits in its group has all that it may have.
      if (groupHasPlace(group) && memberHasPlace(group, member) && !group.queues.has(member)) {
        const release = occupy(key, group, member);
        onChange();
        return Promise.resolve(release);
      }
      return new Promise((resolve) => {
        const enter = (): void => {
          signal.removeEventListener('abort', giveUp);
          resolve(occupy(key, group, member));
        };
        const giveUp = (): void => {
          leaveQueue(key, group, member, enter);
          forgetIdle(key, group);
          onChange();
          resolve(undefined);
        };
        const queue = group.queues.get(member) ?? new Set();
        group.queues.set(member, queue.add(enter));
        queued.set(key, group);
        waiting += 1;
        signal.addEventListener('abort', giveUp, { once: true });
        onChange();
      });
    },
  };
}

function shareOf(left: number, share: number): number {
  return Math.max(1, Math.floor(left * share));
}
