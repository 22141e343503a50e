import { isMeantFor, unverifiedClaims } from '../http/index.ts';

/**
 * Whether it is worth asking the API server about a token: where it has to have one of our audiences it is a JWT that says so, and one that says it has expired is
 * not. Proves nothing. Pure.
 *
 * @param audiences empty: those of the API server, whose tokens may have any form
 */
export function mayBeOurs(token: string, audiences: readonly string[], nowMs: number): boolean {
  if (audiences.length === 0) return true;
  const claims = unverifiedClaims(token);
  if (claims === undefined) return false;
  if (typeof claims.exp === 'number' && claims.exp * 1_000 <= nowMs) return false;
  return audiences.some((audience) => isMeantFor(claims, audience));
}
