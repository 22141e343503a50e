import { GROUP } from '../contract/index.ts';

/**
 * Annotations on a Job, on the CronJob or on another controller that the Job belongs to: comma list of Webhooks of the namespace that are told
 * when the Job is done (whatever its end), when it failed, when it completed.
 */
export const ANNOTATION_ON_JOB_DONE = `${GROUP}/on-job-done`;
export const ANNOTATION_ON_JOB_FAILED = `${GROUP}/on-job-failed`;
export const ANNOTATION_ON_JOB_COMPLETE = `${GROUP}/on-job-complete`;
export const ON_JOB_ANNOTATIONS = [
  ANNOTATION_ON_JOB_DONE,
  ANNOTATION_ON_JOB_FAILED,
  ANNOTATION_ON_JOB_COMPLETE,
] as const;

/** On a Job, by the controller: `UID/event` of the last event whose deliveries have all come to their end. Decides together with the UID, so a copied manifest carries nothing over. */
export const ANNOTATION_SETTLED = `${GROUP}/webhooks-settled`;

/** On a delivery, by a person: send it again; any new value (a time) asks for one more round of attempts. */
export const ANNOTATION_REDELIVER = `${GROUP}/redeliver-requested-at`;

/** On a watcher made by REST: SHA-256 of its request, to tell a replay from another request with the same key. */
export const ANNOTATION_REQUEST = `${GROUP}/request-sha256`;

/** The original's label on a Job whose webhooks were called. It informs; nothing is decided upon it. */
export const LABEL_WEBHOOKS_CALLED = 'app.k8s.job.webhooks/webhooks-called';

/** On Webhooks that come from the families of the configuration; their spec follows it. */
export const LABEL_FAMILY = `${GROUP}/job-family`;
