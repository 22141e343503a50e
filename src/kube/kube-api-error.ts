/** An answer of the API server that is no success. `status` is the HTTP code, `reason` the Status reason (`NotFound`, `Conflict`, …). */
export class KubeApiError extends Error {
  override readonly name = 'KubeApiError';
  readonly status: number;
  readonly reason: string;
  /** Seconds the API server asks to wait (429, 503); undefined: it does not say. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, status: number, reason: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeApiError && error.status === 409;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeApiError && error.status === 404;
}
