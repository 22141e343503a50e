import { implicit, sequence, tagged } from './clients/der.ts';
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

/** The controller, where it signs what it asks of applications. It is shown to nobody as a client of TLS; the intermediate allows no other purpose. */
export function callerProfile(): CertificateProfile {
  return clientProfile('krake-hooks-controller');
}

const NAME_CONSTRAINTS = '2.5.29.30';
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/**
 * Name constraints: nothing below may have the name of a server in the cluster. These CAs stand in applications' CA bundles; so they vouch for none of the
 * names by which applications call us there, even to those who do not look at the purpose of a CA. More is not said, since verifiers would refuse the
 * good with the bad: Java breaks at the empty DNS name that means all, and takes the common name for a DNS name where only some are permitted; Python's
 * cryptography refuses each chain that constrains URIs (callbacks look at the URI themselves).
 */
function noServerNames(): Extension {
  const excluded = [
    implicit(DNS_NAME, Buffer.from('svc')), // and all below: NAME.NAMESPACE.svc
    implicit(DNS_NAME, Buffer.from('cluster.local')),
    implicit(IP_ADDRESS, Buffer.alloc(8)), // 0.0.0.0/0
    implicit(IP_ADDRESS, Buffer.alloc(32)), // ::/0
  ];
  const value = sequence(tagged(1, ...excluded.map((name) => sequence(name))));
  return new Extension(NAME_CONSTRAINTS, true, value);
}
