import type { Hook } from '../contract/index.ts';
import type { KnownProofs } from './known-proofs.ts';
import type { KnownShutdown } from './known-shutdown.ts';

/** When a signal was stored; nothing else of it is kept here. */
export interface StoredSignal {
  readonly receivedAt: string;
}

export type StoredSignals = Readonly<Partial<Record<Hook, StoredSignal>>>;

/** What the callback needs to know of an Application. */
export interface KnownApplication extends KnownProofs {
  readonly uid: string;
  readonly hooks: readonly Hook[];
  readonly signals: StoredSignals;
  /** More than one pod has to say that it is complete. */
  readonly countsPods: boolean;
  /** `status.signals.completeFrom`: by UID of the pod, when it was stored; undefined: it is not there. */
  readonly completeFrom: ReadonlyMap<string, string> | undefined;
  readonly shutdown: KnownShutdown;
}

/** Applications by name, without a request to the API server. */
export interface ApplicationLookup {
  get(namespace: string, name: string): KnownApplication | undefined;
  /** The first list is complete. */
  ready(): boolean;
  /** What `get` does not find is not there: list complete, watch open. */
  connected(): boolean;
}
