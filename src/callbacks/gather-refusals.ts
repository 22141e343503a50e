import { createTokenBuckets, takeOfEach } from '../http/index.ts';
import type { AuditedAnswer } from './audited-answer.ts';

/** Refusals, gathered by application and reason, in bounded memory. */
export interface RefusalGathering {
  add(answer: AuditedAnswer): void;
  /**
   * Tells of what is due, as far as the budgets go; what they keep back stays with its count. `atEnd`: of what is not due yet, too.
   *
   * @returns whether something is still to be told
   */
  tell(atEnd?: boolean): boolean;
}

/** What comes in this time is told together. */
export const GATHER_MS = 2_000;
/** The same refusal of the same application is told again after this at the earliest. */
const QUIET_MS = 300_000;
const MAX_GATHERED = 2_000;
/**
 * Of one application in a while: at most 10 in any five minutes, while the recorder lets 25 Events of an object through: so those of one gathering leave
 * room for those of the other.
 */
const OF_ONE = { ratePerSecond: 5 / 300, burst: 5 };
/** Whoever can make refusals in one namespace does not keep those of the others back. */
const OF_NAMESPACE = { ratePerSecond: 0.2, burst: 20 };
const OF_ALL = { ratePerSecond: 1, burst: 50 };

interface Gathered {
  last: AuditedAnswer;
  /** Since it was last told; 0: nothing is to be told. */
  count: number;
  dueAtMs: number;
  quietUntilMs: number;
}

/** Its budgets are its own: what must not be kept back by a flood of something else is gathered apart from it. */
export function createRefusalGathering(
  tellOf: (last: AuditedAnswer, count: number) => void,
  monotonic: () => number,
): RefusalGathering {
  const ofOne = createTokenBuckets(OF_ONE, monotonic);
  const ofNamespace = createTokenBuckets(OF_NAMESPACE, monotonic);
  const ofAll = createTokenBuckets(OF_ALL, monotonic);
  const gathered = new Map<string, Gathered>();

  return {
    add(answer) {
      const key = `${answer.uid}/${answer.reason}`;
      const entry = gathered.get(key) ?? { last: answer, count: 0, dueAtMs: 0, quietUntilMs: 0 };
      if (entry.count === 0) entry.dueAtMs = Math.max(monotonic() + GATHER_MS, entry.quietUntilMs);
      entry.last = answer;
      entry.count += 1;
      gathered.set(key, entry);
      if (gathered.size > MAX_GATHERED)
        for (const oldest of gathered.keys()) if (gathered.delete(oldest)) break;
    },
    tell(atEnd = false) {
      const nowMs = monotonic();
      let isLeft = false;
      for (const [key, entry] of [...gathered]) {
        const { last, count, dueAtMs, quietUntilMs } = entry;
        if (count === 0) {
          if (quietUntilMs <= nowMs) gathered.delete(key);
          continue;
        }
        const budgets = [
          [ofOne, last.uid],
          [ofNamespace, last.namespace],
          [ofAll, ''],
        ] as const;
        if ((dueAtMs > nowMs && !atEnd) || takeOfEach(budgets) > 0) {
          isLeft = true;
          continue;
        }
        tellOf(last, count);
        entry.count = 0;
        entry.quietUntilMs = nowMs + QUIET_MS;
        // Behind those that wait, so that it is not the first to be forgotten.
        gathered.delete(key);
        gathered.set(key, entry);
      }
      return isLeft;
    },
  };
}
