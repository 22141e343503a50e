import { isUtf8 } from 'node:buffer';

export type JsonResult =
  | { readonly kind: 'json'; readonly value: unknown }
  /** `detail` says what is wrong, without a byte of the input. */
  | { readonly kind: 'invalid'; readonly detail: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/**
 * JSON from outside: UTF-8 or refused, nested no deeper than `maxDepth` or refused. `__proto__` in it is an ordinary own
 * property (that is how JSON.parse reads it): look at values with `Object.hasOwn`, and copy none of them onto other objects.
 */
export function parseJson(body: Buffer, { maxDepth = 64 }: { readonly maxDepth?: number } = {}): JsonResult {
  if (body.length === 0) return { kind: 'invalid', detail: 'The body is empty.' };
  if (!isUtf8(body)) return { kind: 'invalid', detail: 'The body is not UTF-8.' };
  if (isDeeperThan(body, maxDepth))
    return { kind: 'invalid', detail: `The body is nested deeper than ${maxDepth}.` };
  try {
    return { kind: 'json', value: JSON.parse(body.toString('utf8')) };
  } catch {
    // The parser's message quotes the text, and the text may be a token.
    return { kind: 'invalid', detail: 'The body is not JSON.' };
  }
}

function isDeeperThan(body: Buffer, maxDepth: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte) && ++depth > maxDepth) return true;
    else if (CLOSE.has(byte)) depth--;
  }
  return false;
}
