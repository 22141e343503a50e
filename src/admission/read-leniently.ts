import type { JsonObject } from '../review/index.ts';

// For what is only looked at: an object of the wrong shape is the API server's to refuse, and not a reason for us to.

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
}

/** Those members that are objects; none, if it is no list. */
export function asObjects(value: unknown): JsonObject[] {
  const members: unknown[] = Array.isArray(value) ? value : [];
  return members.map(asObject).filter((member) => member !== undefined);
}
