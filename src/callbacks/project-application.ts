import { HOOKS, type Hook } from '../contract/index.ts';
import type { KnownApplication, StoredSignals } from './application-lookup.ts';
import { field, textField, timesOf } from './field.ts';
import { projectProofs } from './project-proofs.ts';
import { projectShutdown } from './project-shutdown.ts';

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
  const signals = field(status, 'signals');
  return {
    uid,
    ...projectProofs(spec, status),
    hooks: hooksOf(field(spec, 'hooks')),
    signals: signalsOf(signals),
    countsPods: (textField(spec, 'completeWhen') ?? 'any') !== 'any',
    completeFrom: timesOf(field(signals, 'completeFrom')),
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
