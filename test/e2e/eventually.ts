import { waitFor } from '../cluster/wait-for.ts';

/** `waitFor` with the patience that whole stories need: pods that start, certificates that are made, back-off of controllers. */
export function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = 120_000,
): Promise<T> {
  return waitFor(what, ask, { timeoutMs, intervalMs: 200 });
}
