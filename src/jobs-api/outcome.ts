import type { OutgoingHttpHeaders } from 'node:http';
import type { Problem } from '../http/index.ts';
import { KubeApiError, KubeUnreachableError } from '../kube/index.ts';

/** What a request comes to. */
export type Outcome =
  | {
      readonly kind: 'answer';
      readonly status: 200 | 201;
      readonly body: unknown;
      readonly headers?: OutgoingHttpHeaders;
    }
  | { readonly kind: 'problem'; readonly problem: Problem; readonly unread?: boolean };

export function answer(status: 200 | 201, body: unknown, headers?: OutgoingHttpHeaders): Outcome {
  return { kind: 'answer', status, body, ...(headers && { headers }) };
}

export function problem(
  status: number,
  reason: string,
  detail: string,
  headers?: OutgoingHttpHeaders,
): Outcome {
  return { kind: 'problem', problem: { status, reason, detail, ...(headers && { headers }) } };
}

export const RETRY_SOON = { 'Retry-After': '2' } as const;

export function unavailable(): Outcome {
  return problem(
    503,
    'unavailable',
    'The Kubernetes API cannot be reached. Send it again after the time in Retry-After.',
    RETRY_SOON,
  );
}

/** What a failed request to the API server means for the caller; undefined: an error of ours. */
export function outcomeOfError(error: unknown): Outcome | undefined {
  if (error instanceof KubeUnreachableError) return unavailable();
  if (!(error instanceof KubeApiError)) return undefined;
  if (error.status === 429 || error.status >= 500) return unavailable();
  // A namespace that is being deleted, a quota.
  if (error.status === 403) {
    return problem(
      403,
      'refused-by-kubernetes',
      'Kubernetes does not let this be stored in the namespace: it is being deleted, or a quota or policy forbids it.',
    );
  }
  // Between the look into the cache and the request it has gone.
  if (error.status === 404) {
    return problem(
      404,
      'namespace-gone',
      'The namespace has just been deleted, or its custom resources are not installed.',
    );
  }
  if (error.status === 409) {
    return problem(409, 'conflict', 'Something else has just changed the same. Send it again.', {
      'Retry-After': '1',
    });
  }
  if (error.status === 400) {
    return problem(400, 'refused-by-kubernetes', 'Kubernetes does not understand these values.');
  }
  // Our own credentials are being changed; the caller's are checked elsewhere.
  if (error.status === 401) return unavailable();
  if (error.status === 422) return problem(422, 'invalid', 'Kubernetes does not accept these values.');
  return undefined;
}
