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

/** Kubernetes' tokens have 1 kB; what is longer is none. */
const MAX_LENGTH = 8_192;
const JWT = /^([A-Za-z0-9_-]{2,2048})\.([A-Za-z0-9_-]{2,6144})\.([A-Za-z0-9_-]{2,2048})$/;

/**
 * What can be seen of a token without asking anybody: whether it could be one of ours at all. Proves nothing; it spares the API server the
 * question. Pure.
 */
export function readBearer(
  token: string,
  expected: { readonly audience: string; readonly namespace: string },
  nowMs: number,
): ReadBearer {
  const payload = payloadOf(token);
  const expires = field(payload, 'exp');
  if (payload === undefined || typeof expires !== 'number') return refused('identity-malformed');
  const audience = field(payload, 'aud');
  const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (!audiences.includes(expected.audience)) return refused('identity-for-another-audience');
  if (expires * 1_000 <= nowMs) return refused('identity-expired');
  const kubernetes = field(payload, 'kubernetes.io');
  const namespace = textField(kubernetes, 'namespace');
  const pod = field(kubernetes, 'pod');
  const podName = textField(pod, 'name');
  const podUid = textField(pod, 'uid');
  if (namespace !== expected.namespace) return refused('identity-of-another-namespace');
  if (podName === undefined || podUid === undefined) return refused('identity-of-no-pod');
  return { kind: 'claims', claims: { namespace, podName, podUid, expiresAtMs: expires * 1_000 } };
}

function payloadOf(token: string): unknown {
  const [, ...parts] = token.length > MAX_LENGTH ? [] : (JWT.exec(token) ?? []);
  const [, payload] = parts;
  // The last character has spare bits, so the same bytes have several spellings; one of them is right (RFC 4648, 3.5), and each other would be asked about anew.
  if (payload === undefined || !parts.every(isCanonical)) return undefined;
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function refused(reason: BearerRefusal): ReadBearer {
  return { kind: 'refused', reason };
}
