import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  caProfile,
  clientCaProfile,
  clientIntermediateProfile,
  servingProfile,
  type CertificateProfile,
  type ServingNames,
} from './certificate-profiles.ts';
import { parseCertificateWithKey, type CertificateWithKey } from './certificate.ts';
import {
  AuthorityKeyIdentifierExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

/** Certificates start this much before they are made, for verifiers whose clocks are behind. */
export const BACKDATE_MS = 5 * 60_000;

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;
const SERIAL_BYTES = 16;

export interface Validity {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Life from `now` on; the certificate itself starts {@link BACKDATE_MS} earlier. X.509 counts in whole seconds. */
  readonly lifetimeMs: number;
}

/** A new self-signed CA with a key of its own (ECDSA P-256). */
export async function issueCa(validity: Validity): Promise<CertificateWithKey> {
  const serialNumber = randomSerialNumber();
  return issue(caProfile(serialNumber), serialNumber, period(validity), undefined);
}

/** A new self-signed CA for applications' certificates, to sign intermediates. */
export async function issueClientCa(validity: Validity): Promise<CertificateWithKey> {
  const serialNumber = randomSerialNumber();
  return issue(clientCaProfile(serialNumber), serialNumber, period(validity), undefined);
}

/** A new intermediate that signs applications' certificates; it never outlives its CA. */
export async function issueClientIntermediate(
  ca: CertificateWithKey,
  validity: Validity,
): Promise<CertificateWithKey> {
  const serialNumber = randomSerialNumber();
  return issue(clientIntermediateProfile(serialNumber), serialNumber, periodWithin(ca, validity), ca);
}

/** A new serving certificate with a key of its own, signed by the CA; it never outlives the CA. */
export async function issueServingCertificate(
  ca: CertificateWithKey,
  names: ServingNames,
  validity: Validity,
): Promise<CertificateWithKey> {
  return issue(servingProfile(names), randomSerialNumber(), periodWithin(ca, validity), ca);
}

interface Period {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

function period({ now, lifetimeMs }: Validity): Period {
  return { notBefore: wholeSecond(now - BACKDATE_MS), notAfter: wholeSecond(now + lifetimeMs) };
}

function periodWithin(ca: CertificateWithKey, validity: Validity): Period {
  const { notBefore, notAfter } = period(validity);
  return { notBefore, notAfter: new Date(Math.min(notAfter.getTime(), ca.notAfter)) };
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}

/** 16 bytes: a positive number (first bit 0) that never begins with a zero byte, so that its length is fixed. */
export function randomSerialBytes(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function randomSerialNumber(): string {
  return randomSerialBytes().toString('hex');
}

async function issue(
  profile: CertificateProfile,
  serialNumber: string,
  { notBefore, notAfter }: Period,
  issuer: CertificateWithKey | undefined,
): Promise<CertificateWithKey> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const issuerCertificate = issuer === undefined ? undefined : new X509Certificate(issuer.cert);
  const subject = `CN=${profile.commonName}`;
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber,
      subject,
      issuer: issuerCertificate?.subject ?? subject,
      notBefore,
      notAfter,
      publicKey: keys.publicKey,
      signingKey: issuer === undefined ? keys.privateKey : await importSigningKey(issuer.key),
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        ...profile.extensions,
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await AuthorityKeyIdentifierExtension.create(
          issuerCertificate?.publicKey ?? keys.publicKey,
          false,
          webcrypto,
        ),
      ],
    },
    webcrypto,
  );
  return parseCertificateWithKey(certificate.toString('pem'), exportKey(keys.privateKey));
}

function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
}

function exportKey(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
