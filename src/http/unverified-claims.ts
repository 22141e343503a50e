/** Kubernetes' tokens have 1 kB; what is longer is none. */
const MAX_LENGTH = 8_192;
const JWT = /^([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]{2,})$/;

/**
 * What a JWT (RFC 7519) says of itself. Nothing of it is verified: it spares the API server a question about what it would refuse anyway.
 *
 * @returns undefined: it is no JWT, or not spelt as its issuer spelt it
 */
export function unverifiedClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, ...parts] = token.length > MAX_LENGTH ? [] : (JWT.exec(token) ?? []);
  const [, payload] = parts;
  // The last character has spare bits, so the same bytes have several spellings; one of them is right (RFC 4648, 3.5), and each other would be asked about anew.
  if (payload === undefined || !parts.every(isCanonical)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether its claim `aud` (a text or a list of them) names this audience. */
export function isMeantFor(claims: Readonly<Record<string, unknown>>, audience: string): boolean {
  const { aud } = claims;
  return Array.isArray(aud) ? aud.includes(audience) : aud === audience;
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}
