import { boundWarnings } from './bound-warnings.ts';
import { REVIEW_API_VERSION } from './parse-review.ts';

/** A message names a few fields; what is longer quotes something that no API server would accept. */
const MAX_MESSAGE_LENGTH = 2_000;

// The bodies of an answer, each with the UID of the request and in the version that it was asked in.

export interface Told {
  readonly warnings?: readonly string[];
  /** Stands in the audit log of the API server beside the request. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** What the caller of the API gets instead of what it asked for, as a Status. */
export interface Refusal {
  /** HTTP status, 400 or more. */
  readonly code: number;
  /** Kubernetes' word for it, for example `Invalid`, `Conflict`, `TooManyRequests`. */
  readonly reason: string;
  readonly message: string;
  /** Becomes the header Retry-After, which clients obey by themselves. */
  readonly retryAfterSeconds?: number;
}

/** Let through as it is. */
export function allowed(uid: string, told: Told): string {
  return toReview({ uid, allowed: true, ...optional(told) });
}

/** Let through with changes. */
export function patched(uid: string, operations: readonly unknown[], told: Told): string {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
  return toReview({ uid, allowed: true, patchType: 'JSONPatch', patch, ...optional(told) });
}

/** Refused. */
export function refused(uid: string, refusal: Refusal, told: Told): string {
  const { code, reason, message, retryAfterSeconds } = refusal;
  const status = {
    status: 'Failure',
    code,
    reason,
    message: message.slice(0, MAX_MESSAGE_LENGTH),
    ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }),
  };
  return toReview({ uid, allowed: false, status, ...optional(told) });
}

/** Refused because it could not be decided: the fault of whoever sent it (400) or ours (500). */
export function errored(uid: string, code: 400 | 500, message: string): string {
  const reason = code === 400 ? 'BadRequest' : 'InternalError';
  return toReview({ uid, allowed: false, status: { status: 'Failure', code, reason, message } });
}

function optional({ warnings = [], auditAnnotations }: Told): object {
  const bounded = boundWarnings(warnings);
  return { ...(bounded.length > 0 && { warnings: bounded }), auditAnnotations };
}

function toReview(response: object): string {
  return JSON.stringify({ apiVersion: REVIEW_API_VERSION, kind: 'AdmissionReview', response });
}
