import type { X509Certificate } from 'node:crypto';

/** The Application that a certificate names. */
export interface CertificateIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What became of a certificate: signed by whom we trust, in its time, for a client, of an application. */
export type CertificateVerdict =
  | { readonly ok: true; readonly identity: CertificateIdentity }
  | {
      readonly ok: false;
      readonly reason:
        'unknown-issuer' | 'not-yet-valid' | 'expired' | 'not-for-clients' | 'names-no-application';
    };

/** Judges certificates whose key the client has proven to hold. Knows nothing of what an Application's status lists. */
export interface ClientCertificates {
  /** Once it is known who may sign. */
  ready(): boolean;
  verify(certificate: X509Certificate): CertificateVerdict;
  /** Calls the listener when other ones may sign; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}
