/** A secret and where it may stand: there it is not looked for. */
export interface Canary {
  readonly name: string;
  readonly bytes: Buffer;
  /** The names of texts, exactly. */
  readonly holders: readonly string[];
}

/** Everything that anybody may read, by a name of its own: an object, a log, an answer. */
export type Texts = ReadonlyMap<string, string>;

/** Half a secret is a leak as well; less than this occurs by chance. */
const MIN_BYTES = 12;

/** Where a secret stands, in any form: `NAME as FORM in TEXT`. */
export function findCanaries(texts: Texts, canaries: readonly Canary[]): string[] {
  const found: string[] = [];
  const forms = canaries.map((canary) => ({ canary, forms: formsOf(canary.bytes) }));
  for (const [where, text] of texts) {
    // Line breaks, also written ones, and the quotes between parts of a text hide nothing.
    const searched = [text, text.replaceAll(/\\n|\\r|[\s"'\\,+]/g, '')];
    for (const { canary, forms: of } of forms) {
      if (canary.holders.includes(where)) continue;
      for (const [form, value] of of) {
        if (searched.some((one) => one.includes(value))) found.push(`${canary.name} as ${form} in ${where}`);
      }
    }
  }
  return found;
}

/** The spellings of a secret, whole and of its halves. */
export function formsOf(bytes: Buffer): Map<string, string> {
  const middle = Math.ceil(bytes.length / 2);
  const parts: [string, Buffer][] = [['', bytes]];
  if (middle >= MIN_BYTES) {
    parts.push([' (first half)', bytes.subarray(0, middle)], [' (second half)', bytes.subarray(middle)]);
  }
  return new Map(
    parts.flatMap(([part, of]) => [...spellings(of)].map(([form, text]) => [form + part, text])),
  );
}

function spellings(bytes: Buffer): Map<string, string> {
  const forms = new Map<string, string>();
  const plain = bytes.toString('latin1');
  if (/^[\x21-\x7e]+$/.test(plain)) {
    forms.set('plain', plain);
    forms.set('URL-encoded', encodeURIComponent(plain));
    forms.set('reversed', [...plain].reverse().join(''));
  }
  const hex = bytes.toString('hex');
  forms.set('hex', hex);
  forms.set('HEX', hex.toUpperCase());
  const percent = hex.replaceAll(/../g, '%$&');
  forms.set('percent', percent);
  forms.set('PERCENT', percent.toUpperCase());
  // Within a longer text that was encoded, a secret begins at any of three places of a group.
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const inner = whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    forms.set(`base64+${offset}`, inner);
    forms.set(`base64url+${offset}`, inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}
