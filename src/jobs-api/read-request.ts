import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { parseJson, readBody } from '../http/index.ts';
import { problem, type Outcome } from './outcome.ts';

export type ReadRequest<T> =
  | { readonly kind: 'request'; readonly value: T }
  | { readonly kind: 'refused'; readonly outcome: Outcome }
  /** The caller has gone. */
  | { readonly kind: 'aborted' };

/** The largest requestBody, every byte of it escaped, and the rest. */
export const BODY_LIMIT_BYTES = 524_288;
const BODY_TIMEOUT_MS = 10_000;
const MAX_DEPTH = 32;

/** The body of a request as the schema wants it. What is wrong is told by the member's name, never with its value. */
export async function readRequest<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
): Promise<ReadRequest<T>> {
  const { 'content-type': contentType, 'content-encoding': encoding } = request.headers;
  if (encoding !== undefined && encoding !== 'identity') {
    return unread(problem(415, 'content-encoding', 'Send the body without a Content-Encoding.'));
  }
  if (contentType !== undefined && !isJsonType(contentType)) {
    return unread(problem(415, 'content-type', 'Send JSON: Content-Type: application/json.'));
  }
  const read = await readBody(request, { limitBytes: BODY_LIMIT_BYTES, timeoutMs: BODY_TIMEOUT_MS });
  switch (read.kind) {
    case 'aborted':
      return { kind: 'aborted' };
    case 'tooLarge':
      return unread(problem(413, 'body-too-large', `The body is larger than ${BODY_LIMIT_BYTES} bytes.`));
    case 'timedOut':
      return unread(problem(408, 'body-timeout', 'The body did not come in time.'));
    case 'body':
      break;
  }
  const json = parseJson(read.body, { maxDepth: MAX_DEPTH });
  if (json.kind === 'invalid') return { kind: 'refused', outcome: problem(400, 'malformed', json.detail) };
  const parsed = schema.safeParse(json.value);
  if (parsed.success) return { kind: 'request', value: parsed.data };
  const wrong = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
  return { kind: 'refused', outcome: problem(400, 'malformed', `${wrong.join('; ')}.`) };
}

function unread(outcome: Outcome): { readonly kind: 'refused'; readonly outcome: Outcome } {
  return { kind: 'refused', outcome: outcome.kind === 'problem' ? { ...outcome, unread: true } : outcome };
}

function isJsonType(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType.trim());
}
