import { KubeApiError, KubeUnreachableError, pause, type Clock } from '../kube/index.ts';

export interface InsistDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Whoever is being uninstalled has little time: the limit of the client for everyday work does not count. */
export function requestOf({ signal }: Pick<InsistDeps, 'signal'>): { signal: AbortSignal; urgent: true } {
  return { signal, urgent: true };
}

const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;

/** Carries out what may be repeated, again after an overloaded or unreachable API server; every other error is the caller's at once. */
export async function insist<T>(deps: InsistDeps, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (attempt >= ATTEMPTS || deps.signal.aborted || !mayPass(error)) throw error;
      await pause(deps.clock, pauseMs(error, attempt), deps.signal);
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof KubeUnreachableError) return true;
  return error instanceof KubeApiError && (error.status === 429 || error.status >= 500);
}

function pauseMs(error: unknown, attempt: number): number {
  const asked = error instanceof KubeApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
  return Math.max(asked, FIRST_PAUSE_MS * 2 ** (attempt - 1));
}
