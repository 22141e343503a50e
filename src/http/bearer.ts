/** Kubernetes' tokens have 1 kB; what is longer is none. */
const MAX_LENGTH = 16_384;

/** The token of `Authorization: Bearer …` (RFC 6750); undefined: there is none. */
export function bearerOf(authorization: string | undefined): string | undefined {
  const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return token === undefined || token.length > MAX_LENGTH ? undefined : token;
}
