import { element, implicit, sequence } from './clients/der.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Extension,
  SubjectAlternativeNameExtension,
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

// One profile per purpose. What proves a server must never prove a client: applications' certificates have a CA of their own.

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

/** The CA of applications' certificates. It signs intermediates, which sign applications. */
export function clientCaProfile(serialNumber: string): CertificateProfile {
  return {
    commonName: `krake-hooks applications CA ${serialNumber.slice(0, 16)}`,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      noServerNames(),
    ],
  };
}

/** What signs applications' certificates, and nothing below them. */
export function clientIntermediateProfile(serialNumber: string): CertificateProfile {
  return {
    commonName: `krake-hooks applications ${serialNumber.slice(0, 16)}`,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
      noServerNames(),
    ],
  };
}

/** An application. The URI that names it is added for each one, in sign-client-certificate.ts. */
export function clientProfile(hookUser: string): CertificateProfile {
  return {
    commonName: hookUser,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
    ],
  };
}

const NAME_CONSTRAINTS = '2.5.29.30';

/**
 * Name constraints: nothing below may have the name of a server or a mail address. So these CAs, which stand in applications' CA bundles, can vouch for
 * no server, even to those who do not look at the purpose of a CA. That a URI must be one of ours is not said here: Python's cryptography
 * refuses every chain that constrains URIs, and callbacks look at the URI themselves.
 */
function noServerNames(): Extension {
  const excluded = [
    implicit(1, Buffer.alloc(0)), // every mail address
    implicit(2, Buffer.alloc(0)), // every DNS name
    implicit(7, Buffer.alloc(8)), // 0.0.0.0/0
    implicit(7, Buffer.alloc(32)), // ::/0
  ];
  const value = sequence(element(0xa1, ...excluded.map((name) => sequence(name))));
  return new Extension(NAME_CONSTRAINTS, true, value);
}
