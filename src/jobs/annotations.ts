import { GROUP } from '../contract/index.ts';

export {
  ANNOTATION_ON_JOB_COMPLETE,
  ANNOTATION_ON_JOB_DONE,
  ANNOTATION_ON_JOB_FAILED,
  ANNOTATION_REDELIVER,
  ANNOTATION_SETTLED,
  ON_JOB_ANNOTATIONS,
} from '../contract/index.ts';

/** On a watcher made by REST: SHA-256 of its request, to tell a replay from another request with the same key. */
export const ANNOTATION_REQUEST = `${GROUP}/request-sha256`;

/** The original's label on a Job whose webhooks were called. It informs; nothing is decided upon it. */
export const LABEL_WEBHOOKS_CALLED = 'app.k8s.job.webhooks/webhooks-called';

/** On Webhooks that come from the families of the configuration; their spec follows it. */
export const LABEL_FAMILY = `${GROUP}/job-family`;
