import type { Application } from '../../src/applications/index.ts';

/** An object as a watch, or the answer to a write, showed it. */
export interface RecordedObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string; readonly controller?: boolean }[];
  };
  readonly spec?: object;
  readonly status?: object;
}

export interface ObjectEvent {
  readonly kind: 'object';
  readonly atMs: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: RecordedObject;
}

/** Somebody was asked to shut down: what came to a shutdown service, as its body says it. */
export interface CallEvent {
  readonly kind: 'call';
  readonly atMs: number;
  readonly namespace: string;
  readonly application: string;
  readonly conversation: string;
  readonly round: number;
  readonly attempt: number;
  readonly deadline: string;
  /** UID of the pod that was asked; undefined: the service was. */
  readonly pod: string | undefined;
}

/** An application said goodbye. */
export interface PutEvent {
  readonly kind: 'put';
  /** It says that it is complete, instead of a goodbye. */
  readonly isComplete?: true;
  readonly sentAtMs: number;
  readonly atMs: number;
  readonly namespace: string;
  readonly application: string;
  /** UID of the pod that said it. */
  readonly pod: string | undefined;
  /** 0: no answer came; whether it was heard is not known. */
  readonly status: number;
  /** Of a 200. */
  readonly answer?: { readonly receivedAt: string; readonly conversation?: string; readonly pod?: string };
}

/** The service itself removes something, seen when its request came by. */
export interface RemovalEvent {
  readonly kind: 'removal';
  readonly atMs: number;
  readonly namespace: string;
  /** Plural of the resource; an eviction is one of `pods`. */
  readonly resource: string;
  readonly name: string;
  /** The precondition. */
  readonly uid: string | undefined;
}

/** Something that only a reader wants to know, as that a process was killed. */
export interface NoteEvent {
  readonly kind: 'note';
  readonly atMs: number;
  readonly text: string;
}

/** Something may have happened that nobody recorded. */
export interface GapEvent {
  readonly kind: 'gap';
  readonly atMs: number;
  readonly text: string;
}

/**
 * What happened, in the order in which one process came to know it. Objects are ordered by resourceVersion besides, all of one etcd. The
 * clock is the recorder's, monotonic, in ms.
 */
export type HistoryEvent = ObjectEvent | CallEvent | PutEvent | RemovalEvent | NoteEvent | GapEvent;
export type History = readonly HistoryEvent[];

/** A sentence that should hold and does not. */
export interface Violation {
  readonly rule: string;
  readonly text: string;
}

export type Conversation = NonNullable<
  NonNullable<Application['status']>['shutdown']
>['conversations'][number];
