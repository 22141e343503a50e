import { REQUESTS, type PersonRequest } from './labels.ts';

/** What a person asks of an Application with the annotation `request`. */
export interface ParsedRequest {
  readonly request: PersonRequest;
  /** With `migrate`: labels of the nodes to move to; empty: wherever the scheduler puts the pods. */
  readonly nodeSelector: Readonly<Record<string, string>>;
}

/** A label's key and value (apimachinery `validation.IsQualifiedName`, `IsValidLabelValue`). */
const PAIR =
  /^((?:[a-z0-9][-a-z0-9.]{0,251}[a-z0-9]\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)=((?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?)$/;

/**
 * Reads `retry`, `release`, `cancel`, `migrate` or `migrate:KEY=VALUE[,KEY=VALUE]`.
 *
 * @returns undefined when the text is none of these
 */
export function parsePersonRequest(text: string): ParsedRequest | undefined {
  const [word, selector] = split(text.trim());
  const request = REQUESTS.find((candidate) => candidate === word);
  if (request === undefined) return undefined;
  if (selector === undefined) return { request, nodeSelector: {} };
  if (request !== 'migrate') return undefined;
  const nodeSelector: Record<string, string> = {};
  for (const pair of selector.split(',')) {
    const [, key, value] = PAIR.exec(pair.trim()) ?? [];
    if (key === undefined || value === undefined) return undefined;
    nodeSelector[key] = value;
  }
  return { request, nodeSelector };
}

function split(text: string): [word: string, selector: string | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}
