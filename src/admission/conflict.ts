import { ANNOTATION_CONTAINERS, ANNOTATION_HOOKS } from '../contract/index.ts';
import type { DenialReason, Problem } from './decision.ts';

/** Something of the user's own in the way of the injection. */
export interface Conflict {
  readonly reason: DenialReason;
  readonly text: string;
}

/** More are not read by anyone. */
const MAX_CONFLICTS_TOLD = 4;

/** One refusal for all that is in the way; undefined: nothing is. */
export function toProblem(conflicts: readonly Conflict[]): Problem | undefined {
  const first = conflicts[0];
  if (first === undefined) return undefined;
  const told = conflicts.slice(0, MAX_CONFLICTS_TOLD).map(({ text }) => text);
  const more = conflicts.length - told.length;
  const message =
    `hooks cannot be injected: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}. ` +
    (first.reason === 'volume-conflict'
      ? ''
      : `Or choose other containers with the annotation ${ANNOTATION_CONTAINERS}. `) +
    `Or leave hooks out: ${ANNOTATION_HOOKS}`;
  return { reason: first.reason, message };
}
