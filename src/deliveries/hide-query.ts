/** Shorter values are words, not keys. */
const MIN_LENGTH = 8;
const HIDDEN = '[hidden]';

/**
 * The text without what the query of the URL holds, where endpoints that have no signature keep their key: one that quotes its request, on the
 * page of an error for example, must not have it end up in a status.
 */
export function hideQuery(text: string, url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return text;
  const { search, searchParams } = parsed;
  const values = [...searchParams.values()].flatMap((value) => [value, encodeURIComponent(value)]);
  return [search.slice(1), ...values]
    .filter((value) => value.length >= MIN_LENGTH)
    .reduce((hidden, value) => hidden.replaceAll(value, HIDDEN), text);
}
