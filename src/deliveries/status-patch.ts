import type { DeliveryStatus } from '../jobs/index.ts';

/** A merge patch that makes one status of another: what is not there any more is taken away. */
export function statusPatch(
  before: DeliveryStatus,
  after: DeliveryStatus,
): Readonly<Record<string, unknown>> {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return { ...after, ...Object.fromEntries(removed.map((key) => [key, null])) };
}
