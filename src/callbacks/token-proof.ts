import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

export type TokenProof = (token: string | undefined, tokenSha256: string | undefined) => boolean;

/**
 * Compares a presented token with a stored SHA-256 (hex). Without a token or without a stored hash the same work is done on stand-ins
 * that nobody knows, so the time tells nothing about whether the application exists.
 */
export function createTokenProof(): TokenProof {
  const nobodysHash = randomBytes(32).toString('hex');
  return (token, tokenSha256) => {
    const presented = Buffer.from(hash('sha256', token ?? '', 'hex'), 'latin1');
    const expected = Buffer.from(tokenSha256 ?? nobodysHash, 'latin1');
    const equal = presented.length === expected.length && timingSafeEqual(presented, expected);
    return equal && token !== undefined && tokenSha256 !== undefined;
  };
}
