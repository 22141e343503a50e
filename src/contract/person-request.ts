import { formatDuration, parseDuration } from './duration.ts';
import { REQUESTS, type PersonRequest } from './labels.ts';

/** What a person asks of an Application with the annotation `request`. */
export interface ParsedRequest {
  readonly request: PersonRequest;
  /** With `migrate`: labels of the nodes to move to; empty: wherever the scheduler puts the pods. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** With `rotate`: how long the former token and certificate are still taken, in whole milliseconds; absent: not at all. */
  readonly graceMs?: number;
}

/** Longer ones are refused: the status remembers the request as it was written. */
export const MAX_REQUEST_LENGTH = 512;
/** Whoever wants a former token to be good for longer does not want it replaced. */
export const MAX_GRACE_MS = 30 * 86_400_000;

/** A label's key, prefix and name, and its value (apimachinery `validation.IsQualifiedName`, `IsValidLabelValue`). */
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads `retry`, `release`, `cancel`, `migrate`, `migrate:KEY=VALUE[,KEY=VALUE]`, `rotate` or `rotate:DURATION`.
 *
 * @returns undefined when the text is none of these
 */
export function parsePersonRequest(text: string): ParsedRequest | undefined {
  if (text.length > MAX_REQUEST_LENGTH) return undefined;
  const [word, rest] = split(text.trim(), ':');
  const request = REQUESTS.find((candidate) => candidate === word);
  if (request === undefined) return undefined;
  if (rest === undefined) return { request, nodeSelector: {} };
  if (request === 'migrate') return parseMigrate(rest);
  return request === 'rotate' ? parseRotate(rest) : undefined;
}

/** Whether it is about token and certificate, however it is written; all others are about the conversation before pods go. */
export function isRotateRequest(text: string): boolean {
  return /^rotate(?::|$)/.test(text.trim());
}

/** The request as it is written into the annotation; {@link parsePersonRequest} reads the same from it. */
export function formatPersonRequest({ request, nodeSelector, graceMs }: ParsedRequest): string {
  if (graceMs !== undefined) return `${request}:${formatDuration(graceMs)}`;
  const pairs = Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? request : `${request}:${pairs.join(',')}`;
}

function parseRotate(duration: string): ParsedRequest | undefined {
  const graceMs = Math.ceil(parseDuration(duration.trim()) ?? Number.NaN);
  return graceMs >= 0 && graceMs <= MAX_GRACE_MS
    ? { request: 'rotate', nodeSelector: {}, graceMs }
    : undefined;
}

function parseMigrate(selector: string): ParsedRequest | undefined {
  const nodeSelector: Record<string, string> = {};
  for (const pair of selector.split(',')) {
    const [key, value] = split(pair.trim(), '=');
    if (value === undefined || !isLabelKey(key) || !isLabelValue(value)) return undefined;
    // Of one label with two values no node could have both.
    if (Object.hasOwn(nodeSelector, key) && nodeSelector[key] !== value) return undefined;
    nodeSelector[key] = value;
  }
  return { request: 'migrate', nodeSelector };
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
