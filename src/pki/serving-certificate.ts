import type { TlsSource } from '../http/index.ts';
import type { ServingNames } from './certificate-profiles.ts';
import type { CertificateWithKey } from './certificate.ts';
import { createChangeListeners } from './change-listeners.ts';
import { issueServingCertificate } from './issue-certificate.ts';

/** One listener's certificate. Its key is made here, stays in memory and changes with every renewal. */
export interface ServingCertificate {
  readonly source: TlsSource;
  /**
   * Issues a new certificate when there is none, when two thirds of its life are over or when another CA signs now; else does nothing.
   * To be called only with a CA that has just been read as the current one: then a replica that is cut off cannot go on
   * signing with a CA whose trust ends.
   */
  refresh(ca: CertificateWithKey, now: number): Promise<void>;
  /** Milliseconds since the epoch; undefined: not issued yet. */
  notAfter(): number | undefined;
}

export interface ServingCertificateOptions {
  readonly names: ServingNames;
  readonly lifetimeMs: number;
  readonly onListenerError: (error: unknown) => void;
}

interface Issued {
  readonly leaf: CertificateWithKey;
  readonly caCert: string;
  readonly renewAt: number;
}

export function createServingCertificate(options: ServingCertificateOptions): ServingCertificate {
  const listeners = createChangeListeners(options.onListenerError);
  let issued: Issued | undefined;
  return {
    source: {
      current() {
        if (issued === undefined) {
          throw new Error('there is no serving certificate before the PKI has started');
        }
        return { cert: issued.leaf.cert, key: issued.leaf.key };
      },
      onChange: (listener) => listeners.add(listener),
    },
    async refresh(ca, now) {
      if (issued?.caCert === ca.cert && now < issued.renewAt) return;
      const leaf = await issueServingCertificate(ca, options.names, { now, lifetimeMs: options.lifetimeMs });
      issued = { leaf, caCert: ca.cert, renewAt: now + (2 / 3) * (leaf.notAfter - now) };
      listeners.notify();
    },
    notAfter: () => issued?.leaf.notAfter,
  };
}
