import type { X509Certificate } from 'node:crypto';
import type { Clock, KubeClient } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import type { ClientIdentity } from './client-identity.ts';

export interface ClientTrustDeps {
  readonly client: Pick<KubeClient, 'get'>;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface ClientTrustOptions {
  readonly namespace: string;
  /** `config.pki.clientCertificates.trustConfigMapName` */
  readonly trustConfigMapName: string;
  /** How often the ConfigMap is read, in milliseconds; default 5 s. */
  readonly pollIntervalMs?: number;
}

export type ClientVerdict =
  | { readonly ok: true; readonly identity: ClientIdentity }
  | {
      readonly ok: false;
      readonly reason:
        'unknown-issuer' | 'not-yet-valid' | 'expired' | 'not-for-clients' | 'names-no-application';
    };

/** The certificates by which applications' certificates are known; read from the ConfigMap that the controller keeps. */
export interface ClientTrust {
  readonly name: string;
  /** Resolves at once: while nothing is known, no certificate is taken. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** The ConfigMap has been read and has a certificate that is valid now. */
  ready(): boolean;
  /** PEM, for the handshake; empty: nobody is known. */
  caPem(): string;
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /**
   * Judges a certificate whose key the client has proven to hold (`socket.getPeerX509Certificate()`), whatever the handshake says: it must be
   * signed by an intermediate that is trusted now. What it does not know is whether the certificate is listed in the Application's status.
   */
  verify(certificate: X509Certificate): ClientVerdict;
}

export function createClientTrust(deps: ClientTrustDeps, options: ClientTrustOptions): ClientTrust {
  throw new Error(`not there yet: ${Object.keys(deps).length + Object.keys(options).length}`);
}
