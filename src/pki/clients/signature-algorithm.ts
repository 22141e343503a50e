import type { KeyObject } from 'node:crypto';
import { NULL, oid, sequence } from './der.ts';

/** How a key signs certificates. */
export interface SignatureAlgorithm {
  readonly digest: 'sha256' | 'sha384' | 'sha512';
  /** AlgorithmIdentifier, DER. */
  readonly identifier: Buffer;
}

const ECDSA: Readonly<Record<string, SignatureAlgorithm>> = {
  prime256v1: { digest: 'sha256', identifier: sequence(oid('1.2.840.10045.4.3.2')) },
  secp384r1: { digest: 'sha384', identifier: sequence(oid('1.2.840.10045.4.3.3')) },
  secp521r1: { digest: 'sha512', identifier: sequence(oid('1.2.840.10045.4.3.4')) },
};
const RSA: SignatureAlgorithm = {
  digest: 'sha256',
  identifier: sequence(oid('1.2.840.113549.1.1.11'), NULL),
};
const MIN_RSA_BITS = 2_048;

/** @throws Error that says which keys can sign */
export function signatureAlgorithmOf(key: KeyObject): SignatureAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) return RSA;
  const ecdsa = type === 'ec' ? ECDSA[details?.namedCurve ?? ''] : undefined;
  if (ecdsa === undefined) {
    throw new Error(
      `its key must be RSA of at least ${MIN_RSA_BITS} bits, or EC on the curve P-256, P-384 or P-521`,
    );
  }
  return ecdsa;
}
