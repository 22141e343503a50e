import type { Auth } from '../contract/index.ts';

/** What is kept of an Application of what its senders may prove themselves with. Positions are indices in the status. */
export interface KnownProofs {
  readonly auth: Auth;
  /** Hex; undefined: no token is valid. */
  readonly tokenSha256: string | undefined;
  /** Tokens before it that are still taken. */
  readonly formerTokens: readonly KnownFormerToken[];
  readonly certificates: readonly KnownCertificate[];
  /** Of pod identities only: the workloads whose pods may signal. */
  readonly workloadUids: readonly string[];
}

export interface KnownFormerToken {
  /** Hex; empty: it cannot be read, and is nobody's. */
  readonly sha256: string;
  /** As it stands in the status, since it is compared there. */
  readonly validUntil: string;
}

export interface KnownCertificate {
  readonly sha256: string;
  readonly notAfter: string;
}
