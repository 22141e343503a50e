import { createHash, generateKeyPair, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { callerProfile, clientProfile, type CertificateProfile } from '../certificate-profiles.ts';
import { BACKDATE_MS, randomSerialBytes, type Validity } from '../issue-certificate.ts';
import { SubjectKeyIdentifierExtension, X509Certificate as ReadableCertificate } from '../x509.ts';
import type { CallerCertificate, ClientCertificate } from './client-certificate.ts';
import { CALLER_URI, clientIdentityUri, type ClientIdentity } from './client-identity.ts';
import {
  bitString,
  contentOf,
  implicit,
  integer,
  octetString,
  oid,
  readElements,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts';
import { signatureAlgorithmOf } from './signature-algorithm.ts';

/** A certificate that may sign those of applications, with its key. Times are milliseconds since the epoch. */
export interface SigningCertificate {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  /** When the first certificate of its chain ends. */
  readonly notAfter: number;
}

/** Signs one certificate after the other; all that is the same in them is encoded once. */
export interface ClientCertificateSigner {
  /** SHA-256 of the signing certificate (DER), hexadecimal. */
  readonly issuerSha256: string;
  readonly notAfter: number;
  /** @throws Error when the signing certificate has expired, or a name cannot stand in a certificate */
  sign(identity: ClientIdentity, validity: Validity): Promise<ClientCertificate>;
  /** A certificate of the controller's own. @throws Error when the signing certificate has expired */
  signCaller(validity: Validity): Promise<CallerCertificate>;
}

// Both work on threads of Node's own: the event loop is free meanwhile.
const generateKeys = promisify(generateKeyPair);
const signAsync = promisify(sign);

const SUBJECT_KEY_IDENTIFIER = oid('2.5.29.14');
const SUBJECT_ALTERNATIVE_NAME = oid('2.5.29.17');
const AUTHORITY_KEY_IDENTIFIER = oid('2.5.29.35');
const COMMON_NAME = oid('2.5.4.3');
const VERSION_3 = tagged(0, integer(Buffer.of(2)));
const URI_NAME = 6;

/** @throws Error when the key is of a kind that cannot sign certificates here */
export function createClientCertificateSigner(
  issuer: SigningCertificate,
  hookUser: string,
): ClientCertificateSigner {
  const { digest, identifier } = signatureAlgorithmOf(issuer.key);
  const application = encodeProfile(clientProfile(hookUser));
  const caller = encodeProfile(callerProfile());
  const issuerPem = issuer.certificate.toString().trim();
  const issuerSha256 = sha256(issuer.certificate.raw);
  const issuerName = subjectOf(issuer.certificate);
  const issuerNotBefore = issuer.certificate.validFromDate.getTime();
  const issuerKeyIdentifier = extension(
    AUTHORITY_KEY_IDENTIFIER,
    sequence(implicit(0, keyIdentifierOf(issuer.certificate))),
  );

  async function signKey(
    publicKey: Buffer,
    uri: string,
    { subject, extensions }: EncodedProfile,
    { now, lifetimeMs }: Validity,
  ): Promise<SignedKey> {
    const notBefore = wholeSecond(Math.max(now - BACKDATE_MS, issuerNotBefore));
    const notAfter = wholeSecond(Math.min(now + lifetimeMs, issuer.notAfter));
    const toBeSigned = sequence(
      VERSION_3,
      integer(randomSerialBytes()),
      identifier,
      issuerName,
      sequence(time(notBefore), time(notAfter)),
      subject,
      publicKey,
      tagged(
        3,
        sequence(
          extensions,
          issuerKeyIdentifier,
          extension(SUBJECT_KEY_IDENTIFIER, octetString(keyIdentifier(publicKey))),
          extension(SUBJECT_ALTERNATIVE_NAME, sequence(implicit(URI_NAME, Buffer.from(uri)))),
        ),
      ),
    );
    const signature = await signAsync(digest, toBeSigned, issuer.key);
    const der = sequence(toBeSigned, identifier, bitString(signature));
    return { der, notBefore, notAfter, renewAt: Math.floor(now + (2 / 3) * (notAfter - now)) };
  }

  function assertNotEnded({ now }: Validity): void {
    if (now >= issuer.notAfter) throw new Error('the signing certificate has expired');
  }

  return {
    issuerSha256,
    notAfter: issuer.notAfter,
    async sign(identity, validity) {
      assertNotEnded(validity);
      const uri = clientIdentityUri(identity);
      const { publicKey, privateKey } = await generateKeys('ec', {
        namedCurve: 'P-256',
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      });
      const { der, ...period } = await signKey(publicKey, uri, application, validity);
      const certPem = `${certificatePem(der)}${issuerPem}\n`;
      return { certPem, keyPem: privateKey, sha256: sha256(der), issuerSha256, ...period };
    },
    async signCaller(validity) {
      assertNotEnded(validity);
      const { publicKey, privateKey } = await generateKeys('ed25519');
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      const { der, notAfter, renewAt } = await signKey(spki, CALLER_URI, caller, validity);
      return { certificate: new X509Certificate(der), key: privateKey, issuerSha256, notAfter, renewAt };
    },
  };
}

interface EncodedProfile {
  readonly subject: Buffer;
  readonly extensions: Buffer;
}

interface SignedKey extends Pick<ClientCertificate, 'notBefore' | 'notAfter' | 'renewAt'> {
  readonly der: Buffer;
}

function encodeProfile({ commonName, extensions }: CertificateProfile): EncodedProfile {
  return {
    subject: sequence(set(sequence(COMMON_NAME, utf8String(commonName)))),
    extensions: Buffer.concat(extensions.map(({ rawData }) => Buffer.from(rawData))),
  };
}

/** SHA-256 of a certificate (DER), hexadecimal, as the status of an Application lists it. */
export function sha256(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, octetString(value));
}

/** RFC 5280, 4.2.1.2, method 1: SHA-1 of the key's bits. It is a name and protects nothing. */
function keyIdentifier(spki: Buffer): Buffer {
  const [, bits] = readElements(contentOf(spki));
  return createHash('sha1')
    .update(contentOf(bits ?? Buffer.alloc(0)).subarray(1))
    .digest();
}

function keyIdentifierOf(certificate: X509Certificate): Buffer {
  const own = new ReadableCertificate(certificate.raw).getExtension(SubjectKeyIdentifierExtension);
  if (own !== null) return Buffer.from(own.keyId, 'hex');
  return keyIdentifier(certificate.publicKey.export({ type: 'spki', format: 'der' }));
}

/** The subject, byte for byte: some verifiers compare the issuer's name so, and its texts may be encoded in several ways. */
function subjectOf(certificate: X509Certificate): Buffer {
  const [toBeSigned = Buffer.alloc(0)] = readElements(contentOf(certificate.raw));
  const fields = readElements(contentOf(toBeSigned));
  // [version], serial number, signature, issuer, validity, subject; a certificate without extensions may lack the version.
  const subject = fields[fields[0]?.[0] === 0xa0 ? 5 : 4];
  if (subject === undefined) throw new Error('the signing certificate has no subject');
  return subject;
}

function certificatePem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}
