import { GROUP } from '../contract/index.ts';

export const API_VERSION = `${GROUP}/v1alpha1`;

export const WEBHOOKS = { apiVersion: API_VERSION, plural: 'webhooks' } as const;
export const JOB_DONE_WATCHERS = { apiVersion: API_VERSION, plural: 'jobdonewatchers' } as const;
export const WEBHOOK_DELIVERIES = { apiVersion: API_VERSION, plural: 'webhookdeliveries' } as const;
export const JOBS = { apiVersion: 'batch/v1', plural: 'jobs' } as const;
export const CRON_JOBS = { apiVersion: 'batch/v1', plural: 'cronjobs' } as const;

/** What may happen to a Job that a webhook can be told of. `timeout`: a watcher's time was over before the Job was done. */
export const JOB_EVENTS = ['complete', 'failed', 'suspended', 'deleted', 'timeout'] as const;
export type JobEventType = (typeof JOB_EVENTS)[number];

/** The ends that "done" means. */
export const DONE_EVENTS = ['complete', 'failed'] as const satisfies readonly JobEventType[];
