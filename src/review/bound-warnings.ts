/** The API server cuts a warning of more than 256 bytes and drops all beyond 4096 bytes together. */
const MAX_WARNING_BYTES = 256;
const MAX_WARNINGS = 15;
const ELLIPSIS = '…';
/** An HTTP header cannot carry them. */
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** Makes warnings fit: each once, without control characters, at most 256 bytes, at most 15. */
export function boundWarnings(warnings: readonly string[]): readonly string[] {
  if (warnings.length === 0) return warnings;
  const distinct = [...new Set(warnings)];
  const told = distinct.length > MAX_WARNINGS ? distinct.slice(0, MAX_WARNINGS - 1) : distinct;
  const bounded = told.map((warning) =>
    cut(warning.slice(0, MAX_WARNING_BYTES + 1).replace(CONTROL_CHARACTERS, ' ')),
  );
  const more = distinct.length - told.length;
  return more > 0 ? [...bounded, `and ${more} more warnings of krake-hooks`] : bounded;
}

function cut(warning: string): string {
  // Almost always the first look is enough, and no letter needs to be counted.
  if (Buffer.byteLength(warning) <= MAX_WARNING_BYTES) return warning.toWellFormed();
  const bytes = Buffer.from(warning).subarray(0, MAX_WARNING_BYTES - Buffer.byteLength(ELLIPSIS));
  // A letter that is cut in two decodes to replacement characters at the end.
  return bytes.toString('utf8').replace(/\uFFFD+$/, '') + ELLIPSIS;
}
