import { createPrivateKey, X509Certificate } from 'node:crypto';

/** A certificate (PEM, exactly one) with its validity in milliseconds since the epoch. */
export interface Certificate {
  readonly cert: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate with its private key (PKCS#8 PEM). */
export interface CertificateWithKey extends Certificate {
  readonly key: string;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a PEM text, in its order; anything between them (comments, other PEM blocks) is left out.
 *
 * @throws Error when a certificate cannot be read; the message never contains the text
 */
export function parseCertificates(pem: string): X509Certificate[] {
  return (pem.match(PEM_CERTIFICATE) ?? []).map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new Error(`certificate ${index + 1} is damaged`, { cause });
    }
  });
}

/** Normal form of a PEM text: its certificates only, one newline after each; equal certificates give equal text. */
export function certificatesPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => `${certificate.toString().trim()}\n`).join('');
}

/** What {@link Certificate} says of one certificate. */
export function describeCertificate(certificate: X509Certificate): Certificate {
  return describeChain([certificate]);
}

/**
 * The same of several that are valid only together.
 *
 * @throws Error when there is none
 */
export function describeChain(certificates: readonly X509Certificate[]): Certificate {
  if (certificates.length === 0) throw new Error('there is no certificate in it');
  return {
    cert: certificatesPem(certificates),
    notBefore: Math.max(...certificates.map((certificate) => certificate.validFromDate.getTime())),
    notAfter: Math.min(...certificates.map((certificate) => certificate.validToDate.getTime())),
  };
}

/**
 * Reads a certificate and checks that the key belongs to it.
 *
 * @throws Error that says what is wrong, without any part of the key
 */
export function parseCertificateWithKey(certPem: string, keyPem: string): CertificateWithKey {
  const [certificate] = parseCertificates(certPem);
  if (certificate === undefined) throw new Error('there is no certificate in it');
  assertKeyFits(certificate, keyPem);
  return { ...describeCertificate(certificate), key: keyPem };
}

/** @throws Error when the key cannot be read or is another certificate's */
export function assertKeyFits(certificate: X509Certificate, keyPem: string): void {
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    // OpenSSL's own message is left out on purpose: it is not ours to promise that it quotes nothing of the key.
    throw new Error('the private key is damaged or encrypted; it must be an unencrypted PEM key');
  }
  if (!fits) throw new Error('the private key does not belong to the certificate');
}
