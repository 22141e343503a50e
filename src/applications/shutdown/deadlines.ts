import type { Conversation } from '../conversation.ts';

/** How long conversations have left. */
export interface Deadlines {
  /** Milliseconds until the deadline of this round; 0 or less: it has passed. */
  readonly remainingMs: (conversation: Conversation) => number;
}

/** Seen rounds are forgotten in the order in which they were first seen; more are hardly open at once. */
const REMEMBERED = 20_000;

/**
 * Measures each round from when this process first saw it, by a clock that is never set: setting the wall clock neither cuts a round short
 * nor extends it. Between two leaders only the wall clock counts; it cannot make a round longer than the whole of it.
 */
export function createDeadlines(now: () => number, monotonic: () => number): Deadlines {
  const ends = new Map<string, number>();
  return {
    remainingMs(conversation) {
      const key = `${conversation.id}/${conversation.round}`;
      let end = ends.get(key);
      if (end === undefined) {
        const deadline = Date.parse(conversation.deadline);
        const startedAt = Date.parse(conversation.roundStartedAt);
        end = monotonic() + Math.min(deadline - now(), deadline - startedAt);
        ends.set(key, end);
        const oldest = ends.size > REMEMBERED ? ends.keys().next() : undefined;
        if (oldest?.done === false) ends.delete(oldest.value);
      }
      return end - monotonic();
    },
  };
}
