import { connect } from 'node:tls';

export interface ServingTarget {
  /** The listener's address on this machine. */
  readonly host: string;
  readonly port: number;
  /** The name that the certificate must be valid for, as callers use it. */
  readonly servername: string;
  /** The CA certificates that callers trust. */
  readonly caPem: string;
}

export type ServingVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const TIMEOUT_MS = 2_000;

/**
 * Calls the own listener as its clients do: a TLS handshake that verifies certificate and name with those CAs and nothing else. Never
 * rejects.
 */
export function verifyServing({ host, port, servername, caPem }: ServingTarget): Promise<ServingVerdict> {
  // Without this, an empty text would mean the public CAs of the machine.
  if (!caPem.includes('BEGIN CERTIFICATE')) {
    return Promise.resolve({ ok: false, reason: 'the CA bundle has no certificate' });
  }
  return new Promise((resolve) => {
    const end = (verdict: ServingVerdict) => {
      socket.destroy();
      resolve(verdict);
    };
    const socket = connect({ host, port, servername, ca: caPem, rejectUnauthorized: true });
    socket.setTimeout(TIMEOUT_MS, () => end({ ok: false, reason: 'no answer in time' }));
    socket.once('secureConnect', () => end({ ok: true }));
    socket.once('error', (error: NodeJS.ErrnoException) => end({ ok: false, reason: explain(error) }));
  });
}

/** Node's message for an unknown issuer ends in advice for people at a terminal; ours says what it means here. */
function explain(error: NodeJS.ErrnoException): string {
  const isUnknownIssuer =
    error.code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' ||
    error.code === 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' ||
    error.code === 'DEPTH_ZERO_SELF_SIGNED_CERT';
  return isUnknownIssuer ? 'no CA of the bundle has signed the certificate that is served' : error.message;
}
