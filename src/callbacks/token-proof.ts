import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { MAX_FORMER_TOKENS } from '../applications/index.ts';
import type { KnownProofs } from './known-proofs.ts';

/** The presented token's SHA-256 when it is one of the application's; undefined: it proves nothing. */
export type TokenProof = (
  token: string | undefined,
  known: Pick<KnownProofs, 'tokenSha256' | 'formerTokens'> | undefined,
) => string | undefined;

/**
 * Compares a presented token with the stored SHA-256 values (hex). It is always as many comparisons, with stand-ins that nobody knows where
 * there is no token or no stored hash: the time tells nothing about whether the application exists, nor how many tokens it has. Whether a former token
 * is still taken is for `groundsTests` to say.
 */
export function createTokenProof(): TokenProof {
  const nobodysHash = randomBytes(32).toString('hex');
  return (token, known) => {
    const presentedHex = hash('sha256', token ?? '', 'hex');
    const presented = Buffer.from(presentedHex, 'latin1');
    let found = 0;
    for (let i = -1; i < MAX_FORMER_TOKENS; i++) {
      const stored = i < 0 ? known?.tokenSha256 : known?.formerTokens[i]?.sha256;
      const expected = Buffer.from(stored ?? nobodysHash, 'latin1');
      found |= Number(presented.length === expected.length && timingSafeEqual(presented, expected));
    }
    return found === 1 && token !== undefined ? presentedHex : undefined;
  };
}
