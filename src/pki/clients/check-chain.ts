import type { X509Certificate } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as ReadableCertificate,
} from '../x509.ts';

const ANY_PURPOSE = '2.5.29.37.0';
/** More CAs above each other than anybody has. */
const MAX_LENGTH = 8;

/**
 * The certificate and what is above it, as far as it is there: each one signed by the next.
 *
 * @param roots undefined: the root is among `others`
 */
export function buildChain(
  certificate: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[] | undefined,
): X509Certificate[] {
  const chain = [certificate];
  const candidates = [...(roots ?? []), ...others];
  for (let last = certificate; !isSelfSigned(last) && chain.length < MAX_LENGTH;) {
    const issuer = candidates.find((candidate) => isIssuedBy(last, candidate));
    if (issuer === undefined || chain.includes(issuer)) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

/**
 * What keeps the first certificate of the chain from signing applications' certificates, in words; empty: nothing.
 *
 * @param mayHaveEnded that one of them has expired is no problem
 */
export function checkChain(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[] | undefined,
  now: number,
  mayHaveEnded = false,
): string[] {
  return [
    ...chain.flatMap((certificate, index) =>
      [
        checkAuthority(certificate),
        checkPurpose(certificate),
        checkPathLength(certificate, index),
        checkValidity(certificate, now, mayHaveEnded),
      ]
        .filter((problem) => problem !== undefined)
        .map((problem) => (index === 0 ? problem : `the CA above it, ${nameOf(certificate)}: ${problem}`)),
    ),
    ...checkRoot(chain, roots),
  ];
}

function checkAuthority(certificate: X509Certificate): string | undefined {
  const readable = new ReadableCertificate(certificate.raw);
  if (readable.getExtension(BasicConstraintsExtension)?.ca !== true) {
    return 'it is no CA certificate (basic constraints)';
  }
  const usages = readable.getExtension(KeyUsagesExtension)?.usages;
  if (usages === undefined || (usages & KeyUsageFlags.keyCertSign) !== 0) return undefined;
  return 'it may not sign certificates (its key usage lacks keyCertSign)';
}

function checkPurpose(certificate: X509Certificate): string | undefined {
  const purposes = new ReadableCertificate(certificate.raw).getExtension(ExtendedKeyUsageExtension)?.usages;
  if (purposes === undefined || purposes.includes(ExtendedKeyUsage.clientAuth)) return undefined;
  if (purposes.includes(ANY_PURPOSE)) return undefined;
  return 'it may not sign client certificates (its extended key usage lacks clientAuth)';
}

/** `below`: CAs between it and an application's certificate. */
function checkPathLength(certificate: X509Certificate, below: number): string | undefined {
  const allowed = new ReadableCertificate(certificate.raw).getExtension(
    BasicConstraintsExtension,
  )?.pathLength;
  if (allowed === undefined || allowed >= below) return undefined;
  return `it allows ${allowed} intermediates below it (path length), and there are ${below}`;
}

function checkValidity(certificate: X509Certificate, now: number, mayHaveEnded: boolean): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (validToDate.getTime() <= now && !mayHaveEnded) return `it expired ${validToDate.toISOString()}`;
  return validFromDate.getTime() > now ? `it is not valid before ${validFromDate.toISOString()}` : undefined;
}

function checkRoot(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[] | undefined,
): string[] {
  const last = chain.at(-1);
  if (last === undefined) return [];
  if (!isSelfSigned(last)) {
    const where = roots === undefined ? 'name a file with it in' : 'the issuer is not in';
    return [
      `it leads to no root CA: ${nameOf(last)} was signed by ${oneLine(last.issuer)}; ${where} pki.clientCertificates.rootsFile`,
    ];
  }
  if (roots?.some((root) => root.fingerprint256 === last.fingerprint256) ?? true) return [];
  return [`it leads to ${nameOf(last)}, which is not in pki.clientCertificates.rootsFile`];
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // By name and signature: whether the issuer may sign is a problem of its own, with words of its own.
  return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
}

function nameOf(certificate: X509Certificate): string {
  return oneLine(certificate.subject);
}

function oneLine(name: string): string {
  return `“${name.replaceAll('\n', ', ')}”`;
}
