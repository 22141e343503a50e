import type { TlsSource } from '../http/index.ts';
import type { ServingNames } from './certificate-profiles.ts';
import type { TrustBundle } from './trust-bundle.ts';

/** Where the service's own certificates come from: a self-managed CA, or files. */
export interface Pki {
  readonly name: string;
  /** Resolves once every source has a certificate and the trust bundle is known. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Every certificate that is served is valid now. */
  ready(): boolean;
  /** The certificate of one listener; ask before `start`. `current()` throws until the PKI has started. */
  tlsSource(names: ServingNames): TlsSource;
  readonly trustBundle: TrustBundle;
  /** End of the certificates' validity, for metrics: milliseconds since the epoch, undefined before the start. */
  expiry(): PkiExpiry;
}

export interface PkiExpiry {
  /** The CA that signs; with files: the first CA to expire. */
  readonly caNotAfter: number | undefined;
  /** The first serving certificate to expire. */
  readonly servingNotAfter: number | undefined;
}
