import type { IncomingMessage } from 'node:http';
import { parseJson, readBody, type ReadBodyOptions } from '../http/index.ts';
import { BODY_TIMEOUT, bodyTooLarge, CONTENT_ENCODING, notJson, type Answer } from './answers.ts';

export type TokenReading =
  /** `token` undefined: JSON, but without a token in it; that is for the proof to judge. */
  | { readonly kind: 'read'; readonly token: string | undefined }
  | { readonly kind: 'refused'; readonly answer: Answer }
  | { readonly kind: 'aborted' };

/** The token of a body `{"token": "…"}`. The Content-Type does not matter: curl -d sends that of a form, others none. */
export async function readToken(request: IncomingMessage, options: ReadBodyOptions): Promise<TokenReading> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return { kind: 'refused', answer: CONTENT_ENCODING };

  const result = await readBody(request, options);
  switch (result.kind) {
    case 'aborted':
      return { kind: 'aborted' };
    case 'tooLarge':
      return { kind: 'refused', answer: bodyTooLarge(options.limitBytes) };
    case 'timedOut':
      return { kind: 'refused', answer: BODY_TIMEOUT };
    case 'body': {
      const json = parseJson(result.body);
      return json.kind === 'json'
        ? { kind: 'read', token: tokenIn(json.value) }
        : { kind: 'refused', answer: notJson(json.detail) };
    }
  }
}

function tokenIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'token')) return undefined;
  const { token } = value as { readonly token: unknown };
  return typeof token === 'string' && token !== '' ? token : undefined;
}
