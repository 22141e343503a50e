import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type Extension,
} from './x509.ts';

/** The names that a serving certificate is valid for. */
export interface ServingNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/** What a kind of certificate is for: its subject and the extensions that do not depend on keys. */
export interface CertificateProfile {
  /** Common name, at most 64 characters (the limit of X.520). */
  readonly commonName: string;
  readonly extensions: readonly Extension[];
}

// One profile per purpose. The client certificates of applications (clientAuth, URI name with namespace, application and UID) will
// be `clientProfile` here, signed by a CA of their own: what proves a server must never prove a client.

/**
 * A CA that signs serving certificates and nothing below it (path length 0). The serial number is part of its name, since verifiers
 * that choose an issuer by name would otherwise confuse an old CA with its successor.
 */
export function caProfile(serialNumber: string): CertificateProfile {
  return {
    commonName: `krake-hooks CA ${serialNumber.slice(0, 16)}`,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  };
}

/** A TLS server. Names stand in the alternative names only: nobody reads the common name any more, and Service names outgrow it. */
export function servingProfile(names: ServingNames): CertificateProfile {
  if (names.dnsNames.length + names.ipAddresses.length === 0) {
    throw new Error('a serving certificate needs at least one DNS name or IP address');
  }
  return {
    commonName: 'krake-hooks',
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  };
}
