import { KeyObject, webcrypto } from 'node:crypto';
import type { CertificateWithKey } from '../../src/pki/certificate.ts';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '../../src/pki/x509.ts';

const HOUR_MS = 3_600_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A TLS client's certificate as `openssl` makes one for the API server, and its key. */
export async function issueClient(
  ca: CertificateWithKey,
  commonName: string,
  { notAfter = Date.now() + HOUR_MS }: { readonly notAfter?: number } = {},
): Promise<{ readonly cert: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const signingKey = await webcrypto.subtle.importKey('pkcs8', derOf(ca.key), ALGORITHM, false, ['sign']);
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: new X509Certificate(ca.cert).subject,
    notBefore: new Date(notAfter - 2 * HOUR_MS),
    notAfter: new Date(notAfter),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert: `${certificate.toString('pem')}\n`, key };
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
}
