import { mayWaitFor } from './choose-job.ts';
import { createGroups } from './groups.ts';
import type { CacheListener } from './job-caches.ts';
import { deletedEvent, type JobFacts } from './job-facts.ts';
import type { JobIndex } from './job-index.ts';
import type { JobEvent } from './webhook-delivery.ts';

export interface GoneJob {
  readonly job: JobFacts;
  /** Its end, or that it was deleted before. */
  readonly event: JobEvent;
}

/**
 * Jobs that are gone, and what the last was that happened to them. Kept on every replica: for the next leader, who tells what nobody was there to tell, and for
 * watchers whose turn comes after the Job has gone.
 */
export interface GoneJobs {
  /** Those of whose event nobody has been told for sure. */
  untold(): Iterable<GoneJob>;
  endOf(jobUid: string): JobEvent | undefined;
  /** Those of the name that have ended, in the order in which they went. */
  endedOf(namespace: string, name: string): Iterable<JobFacts>;
}

export interface GoneJobsDeps {
  readonly index: Pick<JobIndex, 'watchersOf'>;
  /** The namespace is opted in. */
  readonly isServed: (namespace: string) => boolean;
  readonly now: () => number;
}

export interface GoneJobsLimits {
  readonly keepMs: number;
  /** Of all together, as JSON: labels and annotations make some Jobs much larger than others. */
  readonly maxChars: number;
}

/** Forty times the default duration of the lease; 8 Mi are about 10,000 usual Jobs. */
const LIMITS: GoneJobsLimits = { keepMs: 600_000, maxChars: 8_388_608 };
/** Looking through all of them for each new one would take long where many go. */
const SWEEP_SHARE = 0.1;

interface Kept extends GoneJob {
  readonly goneAt: number;
  readonly chars: number;
  told: boolean;
}

/** Within the limits all are kept; beyond them those that an open watcher waits for. */
export function createGoneJobs(
  { index, isServed, now }: GoneJobsDeps,
  { keepMs, maxChars }: GoneJobsLimits = LIMITS,
): GoneJobs & { readonly listener: CacheListener } {
  const byUid = new Map<string, Kept>();
  const byName = createGroups<Kept>();
  let sweptAt = now();
  let charsSince = 0;

  function keep(job: JobFacts): void {
    const event = job.end ?? deletedEvent(job, now());
    const kept: Kept = { job, event, goneAt: now(), chars: JSON.stringify(job).length, told: false };
    byUid.set(job.uid, kept);
    byName.add(nameOf(job), job.uid, kept);
    charsSince += kept.chars;
    if (charsSince > maxChars * SWEEP_SHARE || now() - sweptAt > keepMs * SWEEP_SHARE) sweep();
  }

  function sweep(): void {
    sweptAt = now();
    charsSince = 0;
    let chars = 0;
    for (const { job, ...kept } of [...byUid.values()].reverse()) {
      chars += kept.chars;
      if ((chars > maxChars || now() - kept.goneAt > keepMs) && !isAwaited(job)) {
        byUid.delete(job.uid);
        byName.remove(nameOf(job), job.uid);
      }
    }
  }

  function isAwaited(job: JobFacts): boolean {
    for (const { open } of index.watchersOf(job.namespace, job.name)) {
      if (open !== undefined && mayWaitFor(open, job)) return true;
    }
    return false;
  }

  return {
    *untold() {
      for (const kept of byUid.values()) if (!kept.told) yield kept;
    },
    endOf: (jobUid) => byUid.get(jobUid)?.job.end,
    *endedOf(namespace, name) {
      for (const { job } of byName.of(nameOf({ namespace, name }))) if (job.end !== undefined) yield job;
    },
    listener: {
      onJob(before, after) {
        if (before !== undefined && before.uid !== after?.uid && isServed(before.namespace)) keep(before);
      },
      onDelivery(before, after) {
        // One that was collected: without it the event would be told a second time.
        if (before === undefined || after !== undefined) return;
        const kept = byUid.get(before.event.job.uid);
        if (kept?.event.type === before.event.type && before.phase !== 'Pending') kept.told = true;
      },
    },
  };
}

function nameOf({ namespace, name }: Pick<JobFacts, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
