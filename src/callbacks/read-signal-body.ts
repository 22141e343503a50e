import type { IncomingMessage } from 'node:http';
import type { Hook } from '../contract/index.ts';
import { parseJson, readBody, type ReadBodyOptions } from '../http/index.ts';
import { BODY_TIMEOUT, bodyTooLarge, CONTENT_ENCODING, notJson, wrongField, type Answer } from './answers.ts';
import { field, textField } from './field.ts';

export interface SignalBody {
  /** Undefined: JSON, but without a token in it; that is for the proof to judge. */
  readonly token: string | undefined;
  /** Only a goodbye has these. */
  readonly pod: string | undefined;
  readonly conversation: string | undefined;
}

export type SignalBodyReading =
  | ({ readonly kind: 'read' } & SignalBody)
  | { readonly kind: 'refused'; readonly answer: Answer }
  | { readonly kind: 'aborted' };

export interface ReadSignalBodyOptions extends ReadBodyOptions {
  /** What proves the sender is in the header: there need be no body. */
  readonly mayBeEmpty: boolean;
}

/**
 * Reads `{"token": "…"}`, of a goodbye also `pod` and `conversation`; what else is in it is ignored. The Content-Type does not matter: curl -d
 * sends that of a form, others none.
 */
export async function readSignalBody(
  request: IncomingMessage,
  hook: Hook,
  options: ReadSignalBodyOptions,
): Promise<SignalBodyReading> {
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
      if (options.mayBeEmpty && result.body.length === 0) return parseBody({}, hook);
      const json = parseJson(result.body);
      return json.kind === 'json'
        ? parseBody(json.value, hook)
        : { kind: 'refused', answer: notJson(json.detail) };
    }
  }
}

function parseBody(body: unknown, hook: Hook): SignalBodyReading {
  const token = textField(body, 'token');
  const read = { kind: 'read', token: token === '' ? undefined : token } as const;
  if (hook !== 'shutdown') return { ...read, pod: undefined, conversation: undefined };
  for (const name of ['pod', 'conversation'] as const) {
    const value = field(body, name);
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      return { kind: 'refused', answer: wrongField(name) };
  }
  return { ...read, pod: textField(body, 'pod'), conversation: textField(body, 'conversation') };
}
