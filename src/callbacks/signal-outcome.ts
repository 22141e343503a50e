import type { Hook } from '../contract/index.ts';
import type { GoodbyeRefusal, GoodbyeSender } from './decide-goodbye.ts';

/** One PUT, read and parsed. */
export interface SignalRequest {
  readonly namespace: string;
  readonly name: string;
  readonly hook: Hook;
  /** Undefined: the body has none. */
  readonly token: string | undefined;
  /** Only a goodbye is asked whose it is. */
  readonly sender: GoodbyeSender;
}

/** `uid` is there when the application is known; it is for the log and not for the answer. */
export type SignalOutcome =
  | {
      readonly kind: 'accepted';
      readonly reason: 'stored' | 'already-stored';
      readonly uid: string;
      readonly receivedAt: string;
      /** Which conversation a goodbye belongs to, and in the pod form whose it is. */
      readonly conversation?: string;
      readonly pod?: string;
    }
  | { readonly kind: 'unproven'; readonly reason: UnprovenReason; readonly uid?: string }
  | {
      readonly kind: 'conflict';
      readonly reason: 'hook-not-enabled';
      readonly uid: string;
      readonly enabled: readonly Hook[];
    }
  | { readonly kind: 'refused'; readonly reason: GoodbyeRefusal; readonly uid: string }
  | {
      readonly kind: 'limited';
      readonly reason: 'too-many-requests';
      readonly uid: string;
      readonly retryAfterSeconds: number;
    }
  | {
      readonly kind: 'unavailable';
      readonly reason: 'not-synced' | 'disconnected' | 'store-unavailable';
      readonly uid?: string;
      readonly retryAfterSeconds: number;
      readonly error?: string;
    };

export type UnprovenReason = 'application-unknown' | 'token-void' | 'token-missing' | 'token-wrong';
