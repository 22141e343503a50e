import type { LabelledPod } from './labelled-pod.ts';
import type { Member } from './member.ts';

/** What belongs to one Application, by its key `namespace/name`. */
export interface ApplicationIndex {
  /** Takes the change of a workload (or bare pod) in; either side may be undefined. */
  changeMember(before: Member | undefined, after: Member | undefined): void;
  changePod(before: LabelledPod | undefined, after: LabelledPod | undefined): void;
  members(key: string): readonly Member[];
  pods(key: string): readonly LabelledPod[];
  /** Keys that have a member or a pod. */
  keys(): Iterable<string>;
}

export function keyOf(item: { readonly namespace: string; readonly application: string }): string {
  return `${item.namespace}/${item.application}`;
}

/** Finds an Application's workloads and pods without a search through all of them. The projections are shared with the watch caches. */
export function createApplicationIndex(): ApplicationIndex {
  const members = new Map<string, Member[]>();
  const pods = new Map<string, LabelledPod[]>();
  return {
    changeMember: (before, after) => move(members, before, after),
    changePod(before, after) {
      move(pods, before, after);
      move(members, before?.self, after?.self);
    },
    members: (key) => members.get(key) ?? [],
    pods: (key) => pods.get(key) ?? [],
    keys: () => new Set([...members.keys(), ...pods.keys()]),
  };
}

type Indexed = Member | LabelledPod;

function move<T extends Indexed>(map: Map<string, T[]>, before: T | undefined, after: T | undefined): void {
  if (before !== undefined) remove(map, before);
  if (after === undefined) return;
  const list = map.get(keyOf(after));
  if (list === undefined) map.set(keyOf(after), [after]);
  else list.push(after);
}

function remove<T extends Indexed>(map: Map<string, T[]>, item: T): void {
  const list = map.get(keyOf(item));
  const at = list?.findIndex((other) => other.uid === item.uid) ?? -1;
  if (list === undefined || at < 0) return;
  const last = list.pop();
  if (last !== undefined && at < list.length) list[at] = last;
  if (list.length === 0) map.delete(keyOf(item));
}
