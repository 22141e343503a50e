const JWT = /^[\w-]{2,4096}\.([\w-]{2,12288})\.[\w-]{2,4096}$/;

/**
 * Whether it is worth asking the API server about a token: where it has to have one of our audiences it is a JWT that says so, and one that says it has expired is
 * not. Proves nothing. Pure.
 *
 * @param audiences empty: those of the API server, whose tokens may have any form
 */
export function mayBeOurs(token: string, audiences: readonly string[], nowMs: number): boolean {
  if (audiences.length === 0) return true;
  const { aud, exp } = payloadOf(token);
  if (typeof exp === 'number' && exp * 1_000 <= nowMs) return false;
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return audiences.some((audience) => named.includes(audience));
}

function payloadOf(token: string): { readonly aud?: unknown; readonly exp?: unknown } {
  const payload = JWT.exec(token)?.[1];
  if (payload === undefined) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
