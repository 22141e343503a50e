import type { PatchOperation } from './json-patch.ts';

/** Why nothing is changed. The same code stands in the log, the metric and the audit annotation. */
export const SKIP_REASONS = [
  'subresource',
  'unknown-kind',
  'operation',
  'system-namespace',
  'being-deleted',
  'mirror-pod',
  'stamped-by-owner',
  'owner-not-stamped',
  'unnamed',
  'immutable',
  'no-hooks',
  'up-to-date',
  'conflict-is-older',
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

export const PATCH_REASONS = ['stamped', 'unstamped', 'injected'] as const;
export type PatchReason = (typeof PATCH_REASONS)[number];

export const DENIAL_REASONS = [
  'annotations-differ',
  'invalid-application-name',
  'env-conflict',
  'volume-conflict',
  'mount-conflict',
] as const;
export type DenialReason = (typeof DENIAL_REASONS)[number];

export type Reason = SkipReason | PatchReason | DenialReason;

interface Always {
  /** For the user's terminal; not bounded yet (see boundWarnings). */
  readonly warnings: readonly string[];
  /** The application that the object belongs to, once that is known. */
  readonly application?: string;
}

/** What a review comes to. */
export type Decision =
  | (Always & { readonly outcome: 'unchanged'; readonly reason: SkipReason })
  | (Always & {
      readonly outcome: 'patched';
      readonly reason: PatchReason;
      readonly operations: readonly PatchOperation[];
    })
  | (Always & { readonly outcome: 'denied'; readonly reason: DenialReason; readonly message: string });

/** A refusal before it is known whether it applies. */
export interface Problem {
  readonly reason: DenialReason;
  /** Names the field and what to do. */
  readonly message: string;
}

export function unchanged(
  reason: SkipReason,
  warnings: readonly string[] = [],
  application?: string,
): Decision {
  return { outcome: 'unchanged', reason, warnings, ...(application !== undefined && { application }) };
}

export function denied(problem: Problem, warnings: readonly string[]): Decision {
  return { outcome: 'denied', reason: problem.reason, message: problem.message, warnings };
}

/** A patch, or `up-to-date` when there is nothing to write. */
export function patched(
  reason: PatchReason,
  operations: readonly PatchOperation[],
  warnings: readonly string[],
  application?: string,
): Decision {
  if (operations.length === 0) return unchanged('up-to-date', warnings, application);
  return {
    outcome: 'patched',
    reason,
    operations,
    warnings,
    ...(application !== undefined && { application }),
  };
}
