import type { Application } from '../../src/applications/index.ts';
import type { Conversation, History, HistoryEvent, RecordedObject } from './history.ts';

/** One version of an object. */
export interface Version<T = RecordedObject> {
  readonly revision: number;
  /** Where in the history it was first heard of. */
  readonly position: number;
  readonly atMs: number;
  readonly object: T;
}

/** One object from its creation to its end, by UID. */
export interface Life<T = RecordedObject> {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** By revision, each once. */
  readonly versions: readonly Version<T>[];
  /** When it went for good; the version that went with it is the last of `versions`. */
  readonly deleted: Version<T> | undefined;
}

/** A history, put in order for questions. */
export interface World {
  readonly history: History;
  readonly lives: readonly Life[];
  readonly applications: readonly Life<Application & RecordedObject>[];
  readonly pods: readonly Life[];
  readonly endedAtMs: number;
}

export function buildWorld(history: History): World {
  const byUid = new Map<string, { versions: Map<number, Version>; deleted: Version | undefined }>();
  for (const [position, event] of history.entries()) {
    if (event.kind !== 'object') continue;
    const { metadata } = event.object;
    const life = byUid.get(metadata.uid) ?? { versions: new Map<number, Version>(), deleted: undefined };
    byUid.set(metadata.uid, life);
    const version = {
      revision: Number(metadata.resourceVersion),
      position,
      atMs: event.atMs,
      object: event.object,
    };
    if (!life.versions.has(version.revision)) life.versions.set(version.revision, version);
    if (event.type === 'DELETED') life.deleted = version;
  }
  const lives = [...byUid].flatMap(([uid, { versions, deleted }]): Life[] => {
    const inOrder = [...versions.values()].sort((one, other) => one.revision - other.revision);
    const [first] = inOrder;
    if (first === undefined) return [];
    const { kind = '', metadata } = first.object;
    const { name, namespace = '' } = metadata;
    return [{ kind, namespace, name, uid, versions: inOrder, deleted }];
  });
  return {
    history,
    lives,
    applications: lives.filter(isApplication),
    pods: lives.filter(({ kind }) => kind === 'Pod'),
    endedAtMs: history.at(-1)?.atMs ?? 0,
  };
}

function isApplication(life: Life): life is World['applications'][number] {
  return life.kind === 'Application';
}

/** The version that was in force at this revision. */
export function versionAt<T>(life: Life<T>, revision: number): Version<T> | undefined {
  return life.versions.findLast((version) => version.revision <= revision);
}

export function isThereAt(life: Life, revision: number): boolean {
  const isCreated = (life.versions[0]?.revision ?? Infinity) <= revision;
  return isCreated && (life.deleted === undefined || life.deleted.revision > revision);
}

/** The Application of that name that there was at this revision, else the one that there was last before. */
export function applicationAt(
  { applications }: World,
  namespace: string,
  name: string,
  revision: number,
): World['applications'][number] | undefined {
  return applications
    .filter((life) => life.namespace === namespace && life.name === name)
    .filter(({ versions }) => (versions[0]?.revision ?? Infinity) <= revision)
    .at(-1);
}

export function conversationsOf({ status }: Application): readonly Conversation[] {
  return status?.shutdown?.conversations ?? [];
}

export function eventsOf<K extends HistoryEvent['kind']>(
  history: History,
  kind: K,
): (Extract<HistoryEvent, { readonly kind: K }> & { readonly position: number })[] {
  return history.flatMap((event, position) =>
    event.kind === kind ? [{ ...(event as Extract<HistoryEvent, { readonly kind: K }>), position }] : [],
  );
}
