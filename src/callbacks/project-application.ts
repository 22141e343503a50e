import { HOOKS, type Hook } from '../contract/index.ts';
import type { KnownApplication, StoredSignals } from './application-lookup.ts';

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Shared by all Applications: of ten thousand each has one of four hook lists, and most have no signal. */
const HOOK_LISTS: readonly (readonly Hook[])[] = [[], ['complete'], ['shutdown'], HOOKS];
const NO_SIGNALS: StoredSignals = {};

/**
 * The little that is kept of an Application. Reads defensively: an object that another version of the schema let in must not break
 * the cache, it only proves nothing.
 */
export function projectApplication(object: object): KnownApplication | undefined {
  const uid = field(field(object, 'metadata'), 'uid');
  if (typeof uid !== 'string') return undefined;
  const status = field(object, 'status');
  const tokenSha256 = field(status, 'tokenSha256');
  return {
    uid,
    tokenSha256: typeof tokenSha256 === 'string' && SHA256_HEX.test(tokenSha256) ? tokenSha256 : undefined,
    hooks: hooksOf(field(field(object, 'spec'), 'hooks')),
    signals: signalsOf(field(status, 'signals')),
  };
}

function hooksOf(value: unknown): readonly Hook[] {
  const named = HOOKS.filter((hook) => Array.isArray(value) && value.includes(hook));
  return (
    HOOK_LISTS.find((list) => list.length === named.length && list.every((hook, i) => hook === named[i])) ??
    named
  );
}

function signalsOf(value: unknown): StoredSignals {
  const stored = HOOKS.flatMap((hook) => {
    const receivedAt = field(field(value, hook), 'receivedAt');
    return typeof receivedAt === 'string' ? [[hook, { receivedAt }] as const] : [];
  });
  return stored.length === 0 ? NO_SIGNALS : Object.fromEntries(stored);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
