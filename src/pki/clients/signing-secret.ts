import type { CaSecretLayout } from '../ca-secret.ts';
import { readCa } from '../ca-secret.ts';
import { describeChain, parseCertificates, type CertificateWithKey } from '../certificate.ts';
import { issueClientCa, issueClientIntermediate } from '../issue-certificate.ts';

/**
 * The intermediate that signs applications' certificates, and its CA. `cert`: both, the intermediate first; `key`: the intermediate's; the validity: of
 * both together.
 */
export interface OwnSigner extends CertificateWithKey {
  /** PKCS#8 PEM. */
  readonly caKey: string;
}

/** Life of the CA at least; it is used again by one intermediate after the other. */
const CA_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

const KEYS = {
  current: { ca: ['ca.crt', 'ca.key'], intermediate: ['intermediate.crt', 'intermediate.key'] },
  next: {
    ca: ['next-ca.crt', 'next-ca.key'],
    intermediate: ['next-intermediate.crt', 'next-intermediate.key'],
  },
} as const;

/** The Secret with the CA and the intermediate, those in use and the next ones. */
export const SIGNING_LAYOUT: CaSecretLayout<OwnSigner> = {
  mainKey: { current: KEYS.current.intermediate[0], next: KEYS.next.intermediate[0] },
  read(slot, read) {
    const names = KEYS[slot];
    const ca = inKeys(names.ca, () => readCa(names.ca, read));
    const intermediate = readCa(names.intermediate, read);
    if (ca === undefined && intermediate === undefined) return undefined;
    if (ca === undefined) throw new Error(`${names.ca[0]} is missing`);
    if (intermediate === undefined) throw new Error('is missing');
    return join(ca, intermediate);
  },
  write(slot, { cert, key, caKey }) {
    const [intermediate, ca] = parseCertificates(cert);
    const names = KEYS[slot];
    return {
      [names.ca[0]]: ca?.toString() ?? '',
      [names.ca[1]]: caKey,
      [names.intermediate[0]]: intermediate?.toString() ?? '',
      [names.intermediate[1]]: key,
    };
  },
};

/**
 * A new intermediate, by the CA of the one before while that CA outlives it by far; by a new CA when it does not, or when there is none.
 *
 * @param before undefined: a new CA is wanted
 */
export async function issueOwnSigner(
  before: OwnSigner | undefined,
  now: number,
  lifetimeMs: number,
): Promise<OwnSigner> {
  const caLifetimeMs = Math.max(CA_LIFETIME_MS, 4 * lifetimeMs);
  const ca = caOf(before, now + 2 * lifetimeMs) ?? (await issueClientCa({ now, lifetimeMs: caLifetimeMs }));
  return join(ca, await issueClientIntermediate(ca, { now, lifetimeMs }));
}

/** @throws Error when the CA has not signed the intermediate */
function join(ca: CertificateWithKey, intermediate: CertificateWithKey): OwnSigner {
  const [upper] = parseCertificates(ca.cert);
  const [lower] = parseCertificates(intermediate.cert);
  if (upper === undefined || lower?.checkIssued(upper) !== true || !lower.verify(upper.publicKey)) {
    throw new Error('was not signed by the CA beside it');
  }
  return { ...describeChain([lower, upper]), key: intermediate.key, caKey: ca.key };
}

function caOf(signer: OwnSigner | undefined, needed: number): CertificateWithKey | undefined {
  const ca = parseCertificates(signer?.cert ?? '')[1];
  if (signer === undefined || ca === undefined || ca.validToDate.getTime() < needed) return undefined;
  return { ...describeChain([ca]), key: signer.caKey };
}

/** The error of a part names it, since the Secret's key that is named by default is another one. */
function inKeys<T>([cert]: readonly [string, string], read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(`${cert}: ${cause instanceof Error ? cause.message : 'cannot be read'}`, { cause });
  }
}
