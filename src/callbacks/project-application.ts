import { HOOKS, type Hook } from '../contract/index.ts';
import type { KnownApplication, StoredSignals } from './application-lookup.ts';
import { field, textField } from './field.ts';
import { projectShutdown } from './project-shutdown.ts';

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Shared by all Applications: of ten thousand each has one of four hook lists, and most have no signal. */
const HOOK_LISTS: readonly (readonly Hook[])[] = [[], ['complete'], ['shutdown'], HOOKS];
const NO_SIGNALS: StoredSignals = {};

/**
 * The little that is kept of an Application. Reads defensively: an object that another version of the schema let in must not break
 * the cache, it only proves nothing.
 */
export function projectApplication(object: object): KnownApplication | undefined {
  const uid = textField(field(object, 'metadata'), 'uid');
  if (uid === undefined) return undefined;
  const spec = field(object, 'spec');
  const status = field(object, 'status');
  const tokenSha256 = textField(status, 'tokenSha256');
  return {
    uid,
    tokenSha256: tokenSha256 !== undefined && SHA256_HEX.test(tokenSha256) ? tokenSha256 : undefined,
    hooks: hooksOf(field(spec, 'hooks')),
    signals: signalsOf(field(status, 'signals')),
    shutdown: projectShutdown(spec, status),
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
    const receivedAt = textField(field(value, hook), 'receivedAt');
    return receivedAt === undefined ? [] : [[hook, { receivedAt }] as const];
  });
  return stored.length === 0 ? NO_SIGNALS : Object.fromEntries(stored);
}
