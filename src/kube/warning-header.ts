/** The texts of the `Warning` headers of an answer, as admission and the API server send them to kubectl (RFC 7234, code 299). */
export function readWarnings(header: string | string[] | undefined): string[] {
  const joined = Array.isArray(header) ? header.join(', ') : (header ?? '');
  return Array.from(joined.matchAll(/\b\d{3} \S+ "((?:[^"\\]|\\.)*)"/g), ([, text = '']) =>
    text.replace(/\\(.)/g, '$1'),
  );
}
