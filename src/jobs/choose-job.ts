import type { JobDoneWatcher } from './job-done-watcher.ts';
import type { JobFacts } from './job-facts.ts';

type Ended = Pick<JobFacts, 'uid' | 'end'>;

/** The UID that the watcher is bound to; undefined: to none yet. */
export function boundUid({ spec, status }: Pick<JobDoneWatcher, 'spec' | 'status'>): string | undefined {
  return spec.jobUid ?? status?.jobUid;
}

/** Whether this ended Job of the watcher's name is, or may be, the one that it waits for. Pure. */
export function mayWaitFor(watcher: JobDoneWatcher, { uid, end }: Ended): boolean {
  const bound = boundUid(watcher);
  if (bound !== undefined) return bound === uid;
  // Both are whole seconds.
  return end !== undefined && madeAt(watcher) <= Date.parse(end.time);
}

/**
 * The Job that a watcher which is bound to none gets bound to: the first of its name that lived or was still to come when the watcher was made. Never one that had
 * ended before, unless it is there. Pure.
 *
 * @param living as the API server has it
 * @param ended those of the name that are known to have ended, the oldest first; `living` may be among them
 */
export function chooseJob<T extends Pick<JobFacts, 'uid' | 'end' | 'createdAt'>>(
  watcher: JobDoneWatcher,
  living: T | undefined,
  ended: Iterable<T>,
): T | undefined {
  // Within one second nobody can tell; a watcher that waits for the next end does no harm.
  if (living?.createdAt !== undefined && Date.parse(living.createdAt) <= madeAt(watcher)) return living;
  for (const job of ended) {
    if (job.uid !== living?.uid && mayWaitFor(watcher, job)) return job;
  }
  return living;
}

function madeAt({ metadata }: JobDoneWatcher): number {
  return Date.parse(metadata.creationTimestamp);
}
