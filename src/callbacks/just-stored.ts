import type { Hook } from '../contract/index.ts';
import type { KnownApplication, StoredSignal } from './application-lookup.ts';

/** Bridges the time from a signal's storing until the watch brings it, so that repeats in between cost no request. */
export interface JustStored {
  remember(application: KnownApplication, hook: Hook, signal: StoredSignal): void;
  recall(application: KnownApplication, hook: Hook): StoredSignal | undefined;
}

/** Longer than any watch lags, far shorter than it takes to run the application anew under the same token. */
const KEEP_MS = 5_000;

/**
 * Remembers by the cache's very object: any change that the watch brings replaces that, and with it what is remembered here. So nothing here
 * outlives what the cache knows, and nothing has to be cleared away.
 */
export function createJustStored(monotonic: () => number): JustStored {
  const stored = new WeakMap<KnownApplication, Partial<Record<Hook, StoredSignal & { atMs: number }>>>();
  return {
    remember(application, hook, { receivedAt }) {
      stored.set(application, { ...stored.get(application), [hook]: { receivedAt, atMs: monotonic() } });
    },
    recall(application, hook) {
      const signal = stored.get(application)?.[hook];
      return signal !== undefined && monotonic() - signal.atMs < KEEP_MS ? signal : undefined;
    },
  };
}
