import { isMeantFor, unverifiedClaims } from '../http/index.ts';
import { textField, field } from './field.ts';

/** What an unverified projected service account token says of itself. */
export interface ClaimedPod {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly expiresAtMs: number;
}

export type BearerRefusal =
  | 'identity-malformed'
  | 'identity-for-another-audience'
  | 'identity-expired'
  /** Its service account is of another namespace than the application. */
  | 'identity-of-another-namespace'
  /** Not projected into a pod: nothing says who has it. */
  | 'identity-of-no-pod';

export type ReadBearer =
  | { readonly kind: 'claims'; readonly claims: ClaimedPod }
  | { readonly kind: 'refused'; readonly reason: BearerRefusal };

/**
 * What can be seen of a token without asking anybody: whether it could be one of ours at all. Proves nothing; it spares the API server the
 * question. Pure.
 */
export function readBearer(
  token: string,
  expected: { readonly audience: string; readonly namespace: string },
  nowMs: number,
): ReadBearer {
  const said = unverifiedClaims(token);
  const expires = field(said, 'exp');
  if (said === undefined || typeof expires !== 'number') return refused('identity-malformed');
  if (!isMeantFor(said, expected.audience)) return refused('identity-for-another-audience');
  if (expires * 1_000 <= nowMs) return refused('identity-expired');
  const kubernetes = field(said, 'kubernetes.io');
  const namespace = textField(kubernetes, 'namespace');
  const pod = field(kubernetes, 'pod');
  const podName = textField(pod, 'name');
  const podUid = textField(pod, 'uid');
  if (namespace !== expected.namespace) return refused('identity-of-another-namespace');
  if (podName === undefined || podUid === undefined) return refused('identity-of-no-pod');
  return { kind: 'claims', claims: { namespace, podName, podUid, expiresAtMs: expires * 1_000 } };
}

function refused(reason: BearerRefusal): ReadBearer {
  return { kind: 'refused', reason };
}
