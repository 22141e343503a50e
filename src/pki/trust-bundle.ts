import { createChangeListeners } from './change-listeners.ts';

/** The CA certificates that clients of the service trust: caBundle of the webhook configuration and `ca-bundle.pem` of the applications. */
export interface TrustBundle {
  /**
   * Certificates in PEM and nothing else, in an order that is the same on all replicas.
   *
   * @throws Error before the PKI has started
   */
  pem(): string;
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Reads the source anew; afterwards `pem()` is at least as new as this call. Rejects when the source cannot be read. */
  refresh(): Promise<void>;
}

export interface WritableTrustBundle extends TrustBundle {
  /** Equal text is no change. */
  set(pem: string): void;
}

export function createTrustBundle(
  refresh: () => Promise<void>,
  onListenerError: (error: unknown) => void,
): WritableTrustBundle {
  const listeners = createChangeListeners(onListenerError);
  let current: string | undefined;
  return {
    pem() {
      if (current === undefined) throw new Error('the trust bundle is not known before the PKI has started');
      return current;
    },
    onChange: (listener) => listeners.add(listener),
    refresh,
    set(pem) {
      if (pem === current) return;
      current = pem;
      listeners.notify();
    },
  };
}
