// DER, as much as a certificate needs. An own writer, since the library's encoding of a certificate costs three times what its signature does
// (docs/performance.md).

const TAGS = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
};
const FIRST_YEAR_OF_GENERALIZED_TIME = 2050; // RFC 5280, 4.1.2.5

/** One element: its tag, the length of what is in it, and that. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = content.length === 1 ? (content[0] ?? EMPTY) : Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag, ...length(body.length)), body]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(TAGS.sequence, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => element(TAGS.set, ...content);
export const octetString = (content: Uint8Array): Buffer => element(TAGS.octetString, content);
export const utf8String = (text: string): Buffer => element(TAGS.utf8String, Buffer.from(text));
/** Whole bytes. */
export const bitString = (content: Uint8Array): Buffer => element(TAGS.bitString, Buffer.of(0), content);
/** Bytes of a positive number, the first of them neither 0 nor above 0x7f. */
export const integer = (bytes: Uint8Array): Buffer => element(TAGS.integer, bytes);
/** `[number]`, with elements in it. */
export const tagged = (number: number, ...content: readonly Uint8Array[]): Buffer =>
  element(0xa0 | number, ...content);
/** `[number]` in place of the tag of a simple type. */
export const implicit = (number: number, content: Uint8Array): Buffer => element(0x80 | number, content);
export const NULL = Buffer.of(0x05, 0x00);
const EMPTY = Buffer.alloc(0);

/** An object identifier in its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** A time in whole seconds, in the form that X.509 asks for its year. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, ''); // YYYYMMDDhhmmssZ
  const isLong = Number(digits.slice(0, 4)) >= FIRST_YEAR_OF_GENERALIZED_TIME;
  return isLong ? element(0x18, Buffer.from(digits)) : element(0x17, Buffer.from(digits.slice(2)));
}

/**
 * The elements that stand one after the other in a DER text, each whole. Only for what a real parser has accepted before.
 *
 * @throws Error when a length leads out of the text
 */
export function readElements(der: Uint8Array): Buffer[] {
  const elements: Buffer[] = [];
  for (let rest = Buffer.from(der); rest.length > 0;) {
    const size = headerLength(rest) + contentLength(rest);
    if (Number.isNaN(size) || size > rest.length) throw new Error('damaged DER');
    elements.push(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  return elements;
}

/** What is inside an element. */
export function contentOf(whole: Buffer): Buffer {
  return whole.subarray(headerLength(whole));
}

function headerLength(whole: Buffer): number {
  const first = whole[1] ?? Number.NaN;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function contentLength(whole: Buffer): number {
  const first = whole[1] ?? Number.NaN;
  if (first < 0x80) return first;
  const bytes = first & 0x7f;
  return bytes > 0 && bytes <= 4 && whole.length >= 2 + bytes ? whole.readUIntBE(2, bytes) : Number.NaN;
}

function length(bytes: number): number[] {
  if (bytes < 0x80) return [bytes];
  if (bytes < 0x100) return [0x81, bytes];
  return [0x82, bytes >> 8, bytes & 0xff]; // 64 KiB; what is written here has 1
}

function base128(arc: number): number[] {
  const digits = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}
