import { createHash } from 'node:crypto';
import type { RecordedEvent } from './recorded-event.ts';

/** Decides which Events are worth writing; remembers a bounded number of what it has let through. */
export interface EventFilter {
  admits(event: RecordedEvent, nowMs: number): boolean;
}

/** The same event of the same object is written once in this time. */
const SAME_EVENT_MS = 300_000;
/** Different ones of one object, in the same time: as many as client-go lets through at once. */
const MAX_OF_ONE_OBJECT = 25;
/** Of each of the two memories. Beyond it the oldest is forgotten, which costs a repeated Event at worst. */
const MAX_REMEMBERED = 4_096;

export function createEventFilter(): EventFilter {
  const writtenAt = new Map<string, number>();
  const objects = new Map<string, { since: number; count: number }>();

  return {
    admits: ({ regarding: { uid }, type, reason, note }, nowMs) => {
      const key = createHash('sha256')
        .update(JSON.stringify([uid, type, reason, note]))
        .digest('base64');
      const before = writtenAt.get(key);
      if (before !== undefined && nowMs - before < SAME_EVENT_MS) return false;

      const known = objects.get(uid);
      const object =
        known !== undefined && nowMs - known.since < SAME_EVENT_MS ? known : { since: nowMs, count: 0 };
      if (object.count >= MAX_OF_ONE_OBJECT) return false;
      object.count += 1;
      remember(objects, uid, object);
      remember(writtenAt, key, nowMs);
      return true;
    },
  };
}

/** Puts the entry behind all others (a Map keeps the order of insertion) and forgets the foremost when there are too many. */
function remember<V>(memory: Map<string, V>, key: string, value: V): void {
  memory.delete(key);
  memory.set(key, value);
  if (memory.size <= MAX_REMEMBERED) return;
  const [oldest] = memory.keys();
  if (oldest !== undefined) memory.delete(oldest);
}
