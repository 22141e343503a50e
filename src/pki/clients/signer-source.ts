import type { ClientCertificateSigner } from './sign-client-certificate.ts';

/** Where what signs applications' certificates comes from: the own Secret, or files. */
export interface SignerSource {
  /** Resolves once there is one that may sign; rejects when there can be none. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** undefined: not started. */
  current(): ClientCertificateSigner | undefined;
  /** All CAs and intermediates that are trusted (PEM); undefined: not started. */
  chainPem(): string | undefined;
}
