import type { X509Certificate } from 'node:crypto';
import { assertKeyFits, certificatesPem, parseCertificates } from './certificate.ts';
import type { ServingNames } from './certificate-profiles.ts';

export interface FileTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface FilePaths {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/** Files that are valid together. Times are milliseconds since the epoch, the earliest of each file. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly caPem: string;
  readonly servingNotAfter: number;
  readonly caNotAfter: number;
  /** The names that the serving certificate is not valid for. */
  missingNames(names: ServingNames): string[];
}

/**
 * Checks that the files can serve together: the certificate is valid now, the key is its key, and it chains to a certificate of the CA file, by
 * intermediates in its own file if need be.
 *
 * @throws Error that names the file and says what to do; never with any of its content
 */
export function parseCertificateFiles(texts: FileTexts, paths: FilePaths, now: number): CertificateFiles {
  const chain = readAll(texts.cert, paths.certFile);
  const cas = readAll(texts.ca, paths.caFile);
  const [leaf] = chain;
  if (leaf === undefined) throw new Error(`${paths.certFile}: there is no certificate in it`);
  if (cas.length === 0) throw new Error(`${paths.caFile}: there is no certificate in it`);
  inFile(paths.keyFile, () => assertKeyFits(leaf, texts.key));
  assertValidNow(leaf, paths.certFile, now);
  const validCas = cas.filter((ca) => ca.validToDate.getTime() > now);
  const used = chainTo(leaf, chain.slice(1), validCas);
  if (used === undefined) {
    throw new Error(
      `${paths.certFile}: the certificate was not signed by a valid CA of ${paths.caFile}; put its issuer there, and intermediates into ${paths.certFile}`,
    );
  }
  return {
    cert: certificatesPem(chain),
    key: texts.key,
    caPem: certificatesPem(validCas),
    servingNotAfter: earliestEnd(used),
    caNotAfter: earliestEnd(validCas),
    missingNames: ({ dnsNames, ipAddresses }) => [
      ...dnsNames.filter((name) => leaf.checkHost(name) === undefined),
      ...ipAddresses.filter((address) => leaf.checkIP(address) === undefined),
    ],
  };
}

/** The certificate and the intermediates that lead to one of the CAs; undefined: none do. */
function chainTo(
  certificate: X509Certificate,
  intermediates: readonly X509Certificate[],
  cas: readonly X509Certificate[],
): X509Certificate[] | undefined {
  if (cas.some((ca) => isIssuedBy(certificate, ca))) return [certificate];
  for (const intermediate of intermediates) {
    if (!isIssuedBy(certificate, intermediate)) continue;
    const others = intermediates.filter((other) => other !== intermediate);
    const rest = chainTo(intermediate, others, cas);
    if (rest !== undefined) return [certificate, ...rest];
  }
  return undefined;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function assertValidNow(leaf: X509Certificate, file: string, now: number): void {
  if (leaf.validToDate.getTime() <= now) throw new Error(`${file}: the certificate expired ${leaf.validTo}`);
  if (leaf.validFromDate.getTime() > now) {
    throw new Error(`${file}: the certificate is not valid before ${leaf.validFrom}`);
  }
}

function readAll(pem: string, file: string): X509Certificate[] {
  return inFile(file, () => parseCertificates(pem));
}

function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : 'cannot be read'}`, { cause });
  }
}

function earliestEnd(certificates: readonly X509Certificate[]): number {
  return Math.min(...certificates.map((certificate) => certificate.validToDate.getTime()));
}
