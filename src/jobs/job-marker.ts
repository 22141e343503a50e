import {
  createWorkQueue,
  isConflict,
  isNotFound,
  type KubeClient,
  type ProcessResult,
  type WorkQueueMetrics,
} from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { ANNOTATION_SETTLED, LABEL_WEBHOOKS_CALLED } from './annotations.ts';
import { JOBS } from './api-version.ts';
import { boundUid } from './choose-job.ts';
import { chooseWebhooks } from './choose-webhooks.ts';
import type { JobCaches } from './job-caches.ts';
import type { JobFacts } from './job-facts.ts';
import type { Outbox } from './outbox.ts';
import { readOwnerAsks } from './owner-asks.ts';
import type { DeliveryPhase, JobEvent } from './webhook-delivery.ts';

export interface JobMarkerDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly caches: Pick<JobCaches, 'index' | 'isServed' | 'cronJobs'>;
  readonly outbox: Pick<Outbox, 'find'>;
  readonly logger: Logger;
  /** Others have more urgent things for the API server. */
  readonly isBusy: () => boolean;
  readonly queueMetrics?: WorkQueueMetrics;
}

/**
 * Marks done Jobs: the annotation says that all who are to be told of the end have their delivery and that it has ended, the label (for people) that something was
 * called: one dead endpoint does not keep it back. A Job that names a Webhook which does not exist gets no annotation: it may come.
 */
export interface JobMarker {
  /** Something of the Job's deliveries or watchers may have ended. */
  look(jobUid: string): void;
  isSettled(job: JobFacts): boolean;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** The mark waits until what is more urgent is done, and several ends make one write. */
const MARK_DELAY_MS = 1_500;

export function settledMark(event: JobEvent): string {
  return event.type === 'suspended'
    ? `${event.job.uid}/suspended/${event.time}`
    : `${event.job.uid}/${event.type}`;
}

export function createJobMarker(deps: JobMarkerDeps): JobMarker {
  const { client, caches, outbox, logger, isBusy, queueMetrics } = deps;
  const { index } = caches;
  const queue = createWorkQueue<string>({
    name: 'job-marks',
    process: mark,
    // Little and often: marks must not take the API server away from what is urgent.
    workers: 2,
    logger,
    ...(queueMetrics && { metrics: queueMetrics }),
  });

  async function mark(uid: string): Promise<ProcessResult> {
    const job = index.jobByUid(uid);
    if (job?.end === undefined || !caches.isServed(job.namespace)) return {};
    const { haveEnded, called } = standOf(job.end);
    const labels = called && !job.labelled;
    if (!haveEnded && !labels) return {};
    if (isBusy() || (haveEnded && isAwaited(job))) return { requeueAfterMs: MARK_DELAY_MS };
    // Who looks at the Job again, and marks it then: a delivery that is stored, a Webhook that is created, an annotation that changes.
    const settles = haveEnded && !isSettled(job) && !(await isOwed(job, job.end));
    if (settles || labels) await patchJob(job, job.end, { settles, labels });
    return {};
  }

  /**
   * Somebody who is to be told of the end has no delivery yet, or one that has not ended; or a Webhook that is named does not exist yet. With the mark, no leader
   * would look at the Job any more. Decided upon what is stored, not upon what is being done: a create may be running, or waiting for its next try.
   */
  async function isOwed(job: JobFacts, end: JobEvent): Promise<boolean> {
    const ownerAsks = await readOwnerAsks(job, { client, caches });
    const { webhooks, missing } = chooseWebhooks(end, job, ownerAsks, index.webhooksIn(job.namespace));
    if (missing.length > 0) return true;
    return webhooks.some(({ metadata: { name, uid } }) => {
      const known = outbox.find({ namespace: job.namespace, webhook: { name, uid }, event: end });
      return known === undefined || known.phase === 'Pending';
    });
  }

  /** Of the deliveries that there are. */
  function standOf({ job, type }: JobEvent): { readonly haveEnded: boolean; readonly called: boolean } {
    const phases: readonly DeliveryPhase[] = [...index.deliveriesOf(job.uid)]
      .filter(({ event }) => event.type === type)
      .map(({ phase }) => phase);
    return {
      haveEnded: phases.length > 0 && !phases.includes('Pending'),
      called: phases.includes('Delivered'),
    };
  }

  /** A watcher of the Job has not come to its end: it may want more deliveries. */
  function isAwaited({ namespace, name, uid }: JobFacts): boolean {
    for (const { open } of index.watchersOf(namespace, name)) {
      if (open !== undefined && (boundUid(open) ?? uid) === uid) return true;
    }
    return false;
  }

  async function patchJob(
    { namespace, name, uid }: JobFacts,
    end: JobEvent,
    { settles, labels }: { readonly settles: boolean; readonly labels: boolean },
  ): Promise<void> {
    const metadata = {
      uid,
      ...(settles && { annotations: { [ANNOTATION_SETTLED]: settledMark(end) } }),
      ...(labels && { labels: { [LABEL_WEBHOOKS_CALLED]: 'true' } }),
    };
    try {
      await client.patch({ resource: JOBS, namespace, name }, { type: 'merge', body: { metadata } });
    } catch (error) {
      // Gone, or a namesake has taken the name.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  return {
    look: (uid) => queue.addAfter(uid, MARK_DELAY_MS),
    isSettled,
    start: (signal) => queue.start(signal),
    stop: () => queue.stop(),
  };
}

function isSettled({ end, settled }: JobFacts): boolean {
  return end !== undefined && settled === settledMark(end);
}
