import { isDeepStrictEqual } from 'node:util';
import type { DeliveryStatus, Webhook } from '../jobs/index.ts';

/** An attempt is made in another way now, so what failed before may succeed. A namesake is no mended Webhook. Pure. */
export function isMended(before: Webhook | undefined, after: Webhook | undefined): boolean {
  if (before === undefined || before.metadata.uid !== after?.metadata.uid) return false;
  // What a watch shows may be the older one.
  if ((after.metadata.generation ?? 0) < (before.metadata.generation ?? 0)) return false;
  return !isDeepStrictEqual(partsOf(before), partsOf(after));
}

function partsOf({ spec }: Webhook): object {
  const { url, format, requestBody, contentType, secretRefs, timeoutSeconds, disabled } = spec;
  return { url, format, requestBody, contentType, secretRefs, timeoutSeconds, disabled };
}

/** The status of a delivery that waits for an endpoint which was mended: due at this time at the latest. Refusals were those of another address. Pure. */
export function afterMending(before: DeliveryStatus, atMs: number): DeliveryStatus {
  const status = { ...before };
  delete status.refusals;
  const { nextAttemptAt } = status;
  if (nextAttemptAt === undefined || Date.parse(nextAttemptAt) <= atMs) return status;
  return { ...status, nextAttemptAt: new Date(atMs).toISOString() };
}
