import { X509Certificate, type KeyObject } from 'node:crypto';
import { parseCertificates } from '../certificate.ts';
import { buildChain, checkChain } from './check-chain.ts';
import type { IntermediateContents, IntermediateFile } from './intermediate-files.ts';
import { readPkcs12 } from './read-pkcs12.ts';
import { readPrivateKey } from './read-private-key.ts';
import type { SigningCertificate } from './sign-client-certificate.ts';
import { signatureAlgorithmOf } from './signature-algorithm.ts';

/** The operator's intermediate, after all checks. */
export interface OperatorIntermediate extends SigningCertificate {
  /** The intermediate, then what is above it, a root CA last. */
  readonly chain: readonly X509Certificate[];
}

interface Bundle {
  readonly certificates: readonly X509Certificate[];
  readonly key: KeyObject | undefined;
}

/**
 * Reads the operator's intermediate and checks that it can sign applications' certificates: that it is a CA, may sign, is valid now, leads to one of
 * the roots within their path lengths, and that the key is its key.
 *
 * @param mayHaveEnded it is taken although it, or a CA above it, has expired: it signs nothing then, and everything else goes on
 * @throws Error that names every problem, with the setting and the file that it is in; never any content of a file
 */
export async function parseIntermediate(
  { contents, name }: IntermediateContents,
  now: number,
  mayHaveEnded = false,
): Promise<OperatorIntermediate> {
  const problems: string[] = [];
  const attempt = async <T>(file: IntermediateFile, read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      problems.push(`${name(file)}: ${error instanceof Error ? error.message : 'cannot be read'}`);
      return undefined;
    }
  };
  const content = contents.intermediateCert ?? Buffer.alloc(0);
  const passphrase = contents.intermediatePassphraseFile?.toString('utf8').replace(/\r?\n$/, '');
  const keyContent = contents.intermediateKey;
  const keyFile: IntermediateFile = keyContent === undefined ? 'intermediateCert' : 'intermediateKey';

  const bundle = await attempt('intermediateCert', () => readBundle(content, passphrase));
  const key = await attempt(keyFile, () => {
    if (keyContent !== undefined) return readPrivateKey(keyContent.toString('utf8'), passphrase);
    if (bundle?.key !== undefined || bundle === undefined) return bundle?.key;
    throw new Error('there is no private key in it; name its file in pki.clientCertificates.intermediateKey');
  });
  const roots = await attempt('rootsFile', () => readRoots(contents.rootsFile));
  const [certificate, ...above] = bundle?.certificates ?? [];
  let chain: readonly X509Certificate[] = [];
  if (certificate !== undefined) {
    chain = buildChain(certificate, above, roots);
    const found = checkChain(chain, roots, now, mayHaveEnded);
    problems.push(...found.map((problem) => `${name('intermediateCert')}: ${problem}`));
  }
  await attempt(keyFile, () => {
    if (certificate === undefined || key === undefined) return;
    if (!certificate.checkPrivateKey(key))
      throw new Error('the private key does not belong to the certificate');
    signatureAlgorithmOf(key);
  });
  if (problems.length > 0 || certificate === undefined || key === undefined) {
    throw new Error(problems.join('; '));
  }
  return {
    certificate,
    key,
    chain,
    notAfter: Math.min(...chain.map((each) => each.validToDate.getTime())),
  };
}

async function readBundle(content: Buffer, passphrase: string | undefined): Promise<Bundle> {
  if (!content.includes('-----BEGIN')) return await readPkcs12(content, passphrase);
  const certificates = parseCertificates(content.toString('utf8'));
  if (certificates.length === 0) throw new Error('there is no certificate in it');
  return { certificates, key: undefined };
}

/** undefined: none are given; the intermediate's own file has to have its root then. */
function readRoots(content: Buffer | undefined): X509Certificate[] | undefined {
  if (content === undefined) return undefined;
  const roots = parseCertificates(content.toString('utf8'));
  if (roots.length === 0) throw new Error('there is no certificate in it');
  return roots;
}
