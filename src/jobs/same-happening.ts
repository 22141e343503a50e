import type { DeliverySpec, JobEvent } from './webhook-delivery.ts';

/**
 * Whether a stored delivery tells what we would tell, and not what somebody else has put under its name. Compared is what never changes of a happening: labels and
 * counts may, and the time of `deleted` and `timeout` is when we looked. Pure.
 */
export function tellsSame(
  stored: DeliverySpec,
  wanted: { readonly webhook: { readonly uid: string }; readonly event: JobEvent },
): boolean {
  const [ours, theirs] = [lasting(wanted.event), lasting(stored.event)];
  return stored.webhook.uid === wanted.webhook.uid && ours.every((value, n) => value === theirs[n]);
}

function lasting({ type, job, time, ...event }: JobEvent): readonly unknown[] {
  const what = [type, job.uid, job.name];
  switch (type) {
    case 'complete':
    case 'failed':
      return [...what, time, event.reason, event.message, event.startTime, event.completionTime];
    case 'suspended':
      return [...what, time];
    default:
      return what;
  }
}
