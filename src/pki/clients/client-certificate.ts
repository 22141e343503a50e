import type { KeyObject, X509Certificate } from 'node:crypto';
import type { ClientIdentity } from './client-identity.ts';

/** The certificate of an application, as it is put into its Secret. Times are milliseconds since the epoch. */
export interface ClientCertificate {
  /** PEM: the certificate, then the intermediate that signed it. */
  readonly certPem: string;
  /** PEM, PKCS#8. */
  readonly keyPem: string;
  /** SHA-256 of the certificate (DER), hexadecimal, small letters. */
  readonly sha256: string;
  /** The same of the intermediate. */
  readonly issuerSha256: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** From then on it is to be replaced: two thirds of its life. */
  readonly renewAt: number;
}

/** The certificate by which applications know the controller; its key never leaves the process. Times are milliseconds since the epoch. */
export interface CallerCertificate {
  /** Its one alternative name is `CALLER_URI` of client-identity.ts. */
  readonly certificate: X509Certificate;
  /** Ed25519, private. */
  readonly key: KeyObject;
  /** SHA-256 of the intermediate (DER), hexadecimal, small letters. */
  readonly issuerSha256: string;
  readonly notAfter: number;
  /** From then on it is to be replaced: two thirds of its life. */
  readonly renewAt: number;
}

/** Issues the certificates of applications; by a CA of its own in a Secret, or by the operator's intermediate from files. */
export interface ClientCertificateIssuer {
  readonly name: string;
  /**
   * Resolves once certificates can be issued. Own CA: waits as long as it takes for the API server; from files: rejects with all that is wrong
   * with them, unless it is that they have expired: then it resolves, is not ready, and issues when others have taken their place.
   */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** There is a signing certificate, and it is valid now. */
  ready(): boolean;
  /**
   * A new key and a certificate for it; each call makes another one. It never outlives the signing certificate.
   *
   * @throws Error before the start, when the signing certificate has expired, or when a name cannot stand in a certificate
   */
  issue(identity: ClientIdentity): Promise<ClientCertificate>;
  /**
   * The controller's own, kept until it is to be replaced: by age, or because another certificate signs now.
   *
   * @throws Error before the start, or when the signing certificate has expired
   */
  caller(): Promise<CallerCertificate>;
  /**
   * Changes when another certificate signs: those of a former one are to be replaced.
   *
   * @throws Error before the start
   */
  issuerSha256(): string;
  /** When what signs now ends, or a CA above it, milliseconds since the epoch; undefined: before the start. */
  issuerNotAfter(): number | undefined;
  /**
   * The CAs and intermediates that are trusted, PEM and nothing else, in an order that is the same on all replicas: for `ca-bundle.pem`.
   *
   * @throws Error before the start
   */
  chainPem(): string;
  /** Calls the listener when `issuerSha256` or `chainPem` has changed; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}
