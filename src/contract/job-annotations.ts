import { GROUP } from './labels.ts';

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
