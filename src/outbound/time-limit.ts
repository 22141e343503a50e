import type { CallError } from './call-error.ts';

/** Node fires a timer beyond this (24.8 days) at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Runs work with a signal that is aborted with the outer one or when the time is over; no timer and no listener outlives it. */
export async function withinLimit<R>(
  outer: AbortSignal,
  limitMs: number,
  late: () => CallError,
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const limit = new AbortController();
  const abort = (): void => limit.abort(outer.reason);
  if (outer.aborted) abort();
  outer.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => limit.abort(late()), Math.min(limitMs, MAX_TIMER_MS));
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', abort);
  }
}

/** For work that knows no signal: rejects with the signal's reason at once when it is aborted; what the work brings later is nobody's. */
export function orAborted<R>(signal: AbortSignal, work: Promise<R>): Promise<R> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
