import type { X509Certificate } from 'node:crypto';
import { readClientIdentity, type ClientIdentity } from './client-identity.ts';
import type { TrustedCertificate } from './trust-config-map.ts';

export type ClientVerdict =
  | { readonly ok: true; readonly identity: ClientIdentity }
  | { readonly ok: false; readonly reason: ClientRefusal };

export type ClientRefusal =
  'unknown-issuer' | 'not-yet-valid' | 'expired' | 'not-for-clients' | 'names-no-application';

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/**
 * Pure: whom a certificate speaks for, if one of the trusted certificates that sign applications has signed it. A CA above those counts for nothing
 * here: an operator's root has signed others too. The first check that fails names the reason.
 */
export function judgeClient(
  certificate: X509Certificate,
  trusted: readonly TrustedCertificate[],
  now: number,
): ClientVerdict {
  const isSigned = trusted.some(
    ({ signs, certificate: issuer }) =>
      signs &&
      issuer.validToDate.getTime() > now &&
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey),
  );
  if (!isSigned) return { ok: false, reason: 'unknown-issuer' };
  if (certificate.validFromDate.getTime() > now) return { ok: false, reason: 'not-yet-valid' };
  if (certificate.validToDate.getTime() <= now) return { ok: false, reason: 'expired' };
  // Node calls the extended key usage so; its types know that it may be missing, and so does this.
  const purposes = certificate.keyUsage as readonly string[] | undefined;
  if (certificate.ca || purposes?.includes(CLIENT_AUTH) !== true)
    return { ok: false, reason: 'not-for-clients' };
  const identity = readClientIdentity(certificate);
  return identity === undefined ? { ok: false, reason: 'names-no-application' } : { ok: true, identity };
}
