import type { KnownApplication, StoredSignal } from './application-lookup.ts';

/** Bridges the time from a signal's storing until the watch brings it, so that repeats in between cost no request. */
export interface JustStored {
  /** `pod`: the UID of the pod whose own signal it is, where pods are counted. */
  remember(application: KnownApplication, pod: string | undefined, signal: StoredSignal): void;
  recall(application: KnownApplication, pod: string | undefined): StoredSignal | undefined;
}

/** Longer than any watch lags, far shorter than it takes to run the application anew under the same token. */
const KEEP_MS = 5_000;

/**
 * Remembers by the cache's very object: any change that the watch brings replaces that, and with it what is remembered here. So nothing here
 * outlives what the cache knows, and nothing has to be cleared away.
 */
export function createJustStored(monotonic: () => number): JustStored {
  const stored = new WeakMap<KnownApplication, Map<string, StoredSignal & { readonly atMs: number }>>();
  return {
    remember(application, pod, { receivedAt }) {
      const ofApplication = stored.get(application) ?? new Map<string, StoredSignal & { atMs: number }>();
      ofApplication.set(pod ?? '', { receivedAt, atMs: monotonic() });
      stored.set(application, ofApplication);
    },
    recall(application, pod) {
      const signal = stored.get(application)?.get(pod ?? '');
      return signal !== undefined && monotonic() - signal.atMs < KEEP_MS ? signal : undefined;
    },
  };
}
