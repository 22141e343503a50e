import { REQUESTS, type PersonRequest } from './labels.ts';

/** What a person asks of an Application with the annotation `request`. */
export interface ParsedRequest {
  readonly request: PersonRequest;
  /** With `migrate`: labels of the nodes to move to; empty: wherever the scheduler puts the pods. */
  readonly nodeSelector: Readonly<Record<string, string>>;
}

/** Longer ones are refused: the status remembers the request as it was written. */
export const MAX_REQUEST_LENGTH = 512;

/** A label's key, prefix and name, and its value (apimachinery `validation.IsQualifiedName`, `IsValidLabelValue`). */
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads `retry`, `release`, `cancel`, `migrate` or `migrate:KEY=VALUE[,KEY=VALUE]`.
 *
 * @returns undefined when the text is none of these
 */
export function parsePersonRequest(text: string): ParsedRequest | undefined {
  if (text.length > MAX_REQUEST_LENGTH) return undefined;
  const [word, selector] = split(text.trim(), ':');
  const request = REQUESTS.find((candidate) => candidate === word);
  if (request === undefined) return undefined;
  if (selector === undefined) return { request, nodeSelector: {} };
  if (request !== 'migrate') return undefined;
  const nodeSelector: Record<string, string> = {};
  for (const pair of selector.split(',')) {
    const [key, value] = split(pair.trim(), '=');
    if (value === undefined || !isLabelKey(key) || !isLabelValue(value)) return undefined;
    // Of one label with two values no node could have both.
    if (Object.hasOwn(nodeSelector, key) && nodeSelector[key] !== value) return undefined;
    nodeSelector[key] = value;
  }
  return { request, nodeSelector };
}

/** The request as it is written into the annotation; {@link parsePersonRequest} reads the same from it. */
export function formatPersonRequest({ request, nodeSelector }: ParsedRequest): string {
  const pairs = Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? request : `${request}:${pairs.join(',')}`;
}

function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  return NAME.test(key.slice(slash + 1)) && (slash < 0 || PREFIX.test(key.slice(0, slash)));
}

function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

function split(text: string, separator: string): [head: string, tail: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
