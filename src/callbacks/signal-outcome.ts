import type { Hook } from '../contract/index.ts';
import type { GoodbyeRefusal, GoodbyeSender } from './decide-goodbye.ts';
import type {
  Credentials,
  Evidence,
  ForbiddenReason,
  SenderVerdict,
  UnprovenReason,
} from './prove-sender.ts';

/** One PUT, read and parsed. */
export interface SignalRequest {
  readonly namespace: string;
  readonly name: string;
  readonly hook: Hook;
  readonly credentials: Credentials;
  /** Only a goodbye is asked whose it is. */
  readonly sender: Omit<GoodbyeSender, 'proven'>;
}

/** What became of it, and what was seen of who sent it. */
export interface ReceivedSignal {
  readonly outcome: SignalOutcome;
  readonly evidence: Evidence;
}

/** `uid` is there when the application is known; it is for the log and not for the answer. */
export type SignalOutcome =
  | {
      readonly kind: 'accepted';
      readonly reason: 'stored' | 'already-stored';
      readonly uid: string;
      readonly receivedAt: string;
      /** Which conversation a goodbye belongs to; whose it is, in the pod form and where pods are counted. */
      readonly conversation?: string;
      readonly pod?: string;
    }
  | { readonly kind: 'unproven'; readonly reason: UnprovenReason; readonly uid?: string }
  | {
      readonly kind: 'forbidden';
      readonly reason: ForbiddenReason | 'pod-of-another-name';
      readonly uid: string;
    }
  | {
      readonly kind: 'conflict';
      readonly reason: 'hook-not-enabled';
      readonly uid: string;
      readonly enabled: readonly Hook[];
    }
  | { readonly kind: 'refused'; readonly reason: SignalRefusal; readonly uid: string }
  | {
      readonly kind: 'limited';
      readonly reason: 'too-many-requests';
      readonly uid: string;
      readonly retryAfterSeconds: number;
    }
  | {
      readonly kind: 'unavailable';
      readonly reason:
        | 'not-synced'
        | 'disconnected'
        | 'store-unavailable'
        | Extract<SenderVerdict, { kind: 'unavailable' }>['reason'];
      readonly uid?: string;
      readonly retryAfterSeconds: number;
      readonly error?: string;
    };

/** Proven, and yet it cannot be stored. */
export type SignalRefusal =
  | Exclude<GoodbyeRefusal, 'pod-of-another-name'>
  /** completeWhen counts pods, and a token says nothing of which pod it is. */
  | 'complete-when-needs-pod-identity'
  | 'too-many-pods';
