import { X509Certificate, createHash, createPrivateKey } from 'node:crypto';
import type { Auth } from '../contract/index.ts';

/** Keys of the Secret, as admission mounts and injects them. */
const TOKEN_KEY = 'token';
const CA_BUNDLE_KEY = 'ca-bundle.pem';
const CERT_KEY = 'cert.pem';
const PRIVATE_KEY_KEY = 'key.pem';

export type SecretData = Readonly<Record<string, string>>;

/** A certificate, PEM, the intermediate that signed it after it; and its key. */
export interface CertificateFiles {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What an application proves itself with, as far as it is stored. Certificate and key are there both or not at all. */
export interface SecretContents {
  readonly token: string | undefined;
  readonly certificate: CertificateFiles | undefined;
}

/** What a certificate in a Secret is known by, SHA-256 (DER) in hex. */
export interface CertificateIdentity {
  readonly sha256: string;
  readonly issuerSha256: string;
}

export function readContents(data: SecretData = {}): SecretContents {
  const certPem = decode(data[CERT_KEY]);
  const keyPem = decode(data[PRIVATE_KEY_KEY]);
  return {
    token: decode(data[TOKEN_KEY]),
    certificate: certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem },
  };
}

/** What the Secret should hold. Keys that are not ours stay; of ours none that is not meant. */
export function buildData(contents: SecretContents, caBundle: string, existing: SecretData = {}): SecretData {
  const others = Object.entries(existing).filter(([key]) => !OURS.includes(key));
  const { token, certificate } = contents;
  return {
    ...Object.fromEntries(others),
    [CA_BUNDLE_KEY]: encode(caBundle),
    ...(token === undefined ? {} : { [TOKEN_KEY]: encode(token) }),
    ...(certificate === undefined
      ? {}
      : { [CERT_KEY]: encode(certificate.certPem), [PRIVATE_KEY_KEY]: encode(certificate.keyPem) }),
  };
}

/** The CA bundle is this one, and nothing is there that this way of proving does not have. */
export function isBundleInOrder(data: SecretData = {}, caBundle: string, auth: Auth): boolean {
  if (data[CA_BUNDLE_KEY] !== encode(caBundle)) return false;
  return auth === 'token' || [TOKEN_KEY, CERT_KEY, PRIVATE_KEY_KEY].every((key) => data[key] === undefined);
}

/** @returns undefined when a part of it cannot be read, the intermediate is missing, or the key belongs to another certificate */
export function identifyCertificate({ certPem, keyPem }: CertificateFiles): CertificateIdentity | undefined {
  try {
    const [leaf, issuer] = (certPem.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (leaf === undefined || issuer === undefined) return undefined;
    if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) return undefined;
    return { sha256: fingerprint(leaf), issuerSha256: fingerprint(issuer) };
  } catch {
    // Whatever OpenSSL says about it may quote a part of it.
    return undefined;
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const OURS: readonly string[] = [TOKEN_KEY, CA_BUNDLE_KEY, CERT_KEY, PRIVATE_KEY_KEY];

function fingerprint({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('hex');
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function decode(encoded: string | undefined): string | undefined {
  return encoded === undefined || encoded === ''
    ? undefined
    : Buffer.from(encoded, 'base64').toString('utf8');
}
