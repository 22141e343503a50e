import { isUtf8 } from 'node:buffer';
import { parseJson, type JsonResult } from '../http/index.ts';

/**
 * JSON.parse does not recurse, so depth alone breaks nothing; but 7 MiB of brackets cost 0.8 s and 400 MB (measured, Node 24),
 * so a large body is looked through first. Of a small one the worst costs 5 ms and a few MB, and looking through costs more than all the rest.
 */
const UNSCANNED_BYTES = 65_536;
/** The API server's own decoder stops at 10,000; no object of the kinds that we read comes near 100. */
const MAX_DEPTH = 1_000;

/** The JSON of a body, on the hot path. */
export function parseBody(body: Buffer): JsonResult {
  if (body.length > UNSCANNED_BYTES) return parseJson(body, { maxDepth: MAX_DEPTH });
  if (!isUtf8(body)) return { kind: 'invalid', detail: 'The body is not UTF-8.' };
  try {
    return { kind: 'json', value: JSON.parse(body.toString('utf8')) as unknown };
  } catch {
    // The parser's message quotes the text, which may hold a user's secret.
    return { kind: 'invalid', detail: 'The body is not JSON.' };
  }
}
