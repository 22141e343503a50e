import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A certificate and its RSA key, as node-forge holds them. */
export interface DevelopmentCertificate {
  readonly certificate: forge.pki.Certificate;
  readonly privateKey: forge.pki.rsa.PrivateKey;
}

export interface DevelopmentCertificateOptions {
  readonly commonName: string;
  readonly days: number;
  /** Undefined: self-signed. */
  readonly issuer: DevelopmentCertificate | undefined;
  /** A CA with so many CAs below it, or a TLS server with these names and addresses. */
  readonly use: { readonly pathLength: number } | { readonly names: readonly string[] };
}

const KEY_BITS = 2_048;
const DAY_MS = 86_400_000;
/** Clocks of containers and virtual machines may be behind. */
const BACKDATE_MS = 5 * 60_000;

const generateKeyPair = promisify<forge.pki.rsa.GenerateKeyPairOptions, forge.pki.rsa.KeyPair>(
  (options, callback) => forge.pki.rsa.generateKeyPair(options, callback),
);

/** A new certificate with a key of its own (RSA 2048, SHA-256). */
export async function makeCertificate(
  options: DevelopmentCertificateOptions,
): Promise<DevelopmentCertificate> {
  const { publicKey, privateKey } = await generateKeyPair({ bits: KEY_BITS });
  const certificate = forge.pki.createCertificate();
  const subject = [{ name: 'commonName', value: options.commonName }];
  certificate.publicKey = publicKey;
  certificate.serialNumber = `4${randomBytes(16).toString('hex').slice(1)}`; // first bit 0: a positive number
  certificate.validity.notBefore = new Date(Date.now() - BACKDATE_MS);
  certificate.validity.notAfter = new Date(Date.now() + options.days * DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(options.issuer?.certificate.subject.attributes ?? subject);
  const signer = options.issuer?.certificate ?? certificate;
  certificate.setExtensions([
    ...('names' in options.use ? serverExtensions(options.use.names) : caExtensions(options.use.pathLength)),
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: signer.generateSubjectKeyIdentifier().getBytes() },
  ]);
  certificate.sign(options.issuer?.privateKey ?? privateKey, forge.md.sha256.create());
  return { certificate, privateKey };
}

function caExtensions(pathLenConstraint: number): object[] {
  return [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
  ];
}

function serverExtensions(names: readonly string[]): object[] {
  return [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })),
    },
  ];
}
