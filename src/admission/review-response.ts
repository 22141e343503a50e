import { allowed, patched, refused } from '../review/index.ts';
import type { Decision } from './decision.ts';

/** The answer to a decision. */
export function respondTo(uid: string, decision: Decision): string {
  const { reason, application, warnings } = decision;
  const told = { warnings, auditAnnotations: { reason, ...(application !== undefined && { application }) } };
  switch (decision.outcome) {
    case 'unchanged':
      return allowed(uid, told);
    case 'patched':
      return patched(uid, decision.operations, told);
    case 'denied':
      // What the user asks for contradicts itself or what is there.
      return refused(uid, { code: 422, reason: 'Invalid', message: decision.message }, told);
  }
}
