import { checkAnswers } from './answers.ts';
import { checkAsking } from './asking.ts';
import { checkConversationSteps } from './conversation-steps.ts';
import { checkEndState, type EndOptions } from './end-state.ts';
import { checkGoodbyeFirst } from './goodbye-first.ts';
import type { History, Violation } from './history.ts';
import { checkOwnRemovals } from './own-removals.ts';
import { buildWorld } from './world.ts';

export interface CheckOptions {
  /** UIDs of pods that may go without a goodbye, for instance in a scale-down that `shutdown-on` does not name. */
  readonly exempt?: ReadonlySet<string>;
  /** When everything has come to rest: nothing may be held for no reason. Left out while things are going on. */
  readonly end?: EndOptions;
}

/**
 * States what of the shutdown conversation did not hold in a recorded history; empty: all held. Pure. Of a history with gaps it says
 * that, and nothing else.
 */
export function checkHistory(history: History, { exempt = new Set(), end }: CheckOptions = {}): Violation[] {
  const gaps = history.filter((event) => event.kind === 'gap');
  if (gaps.length > 0) return gaps.map(({ text }) => ({ rule: 'gap', text }));
  const world = buildWorld(history);
  return [
    ...checkGoodbyeFirst(world, exempt),
    ...checkConversationSteps(world),
    ...checkAsking(world),
    ...checkAnswers(world),
    ...checkOwnRemovals(world),
    ...(end === undefined ? [] : checkEndState(world, end)),
  ];
}
