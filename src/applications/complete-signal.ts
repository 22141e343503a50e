import type { Application } from './application.ts';

/**
 * Of which pods the complete signal says that nothing is left to save in them. Where it is carried out, of all; with the action `none` the application
 * lives on, and it speaks of those that were created by then (ms since 1970): who came later has not said it.
 */
export type CompletePods = 'all' | { readonly createdByMs: number };

/** Undefined: there is no signal, or the hook is off. The gate and the controller decide by the same. */
export function completePodsOf({
  spec,
  status,
}: Pick<Application, 'spec' | 'status'>): CompletePods | undefined {
  const signal = status?.signals?.complete;
  if (signal === undefined || !spec.hooks.includes('complete')) return undefined;
  return spec.completeAction === 'none' ? { createdByMs: Date.parse(signal.receivedAt) } : 'all';
}

export function isComplete(
  complete: CompletePods | undefined,
  { createdAtMs }: { readonly createdAtMs: number },
): boolean {
  return complete === 'all' || (complete !== undefined && createdAtMs <= complete.createdByMs);
}
