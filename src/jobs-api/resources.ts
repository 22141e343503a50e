import { z } from 'zod';
import {
  isUuid,
  MAX_REQUEST_BODY,
  MAX_TRIGGERS,
  MAX_URL,
  TRIGGER_STATUSES,
  WATCHER_PHASES,
  type JobDoneWatcher,
  type Webhook,
} from '../jobs/index.ts';

// The names, cases and omissions are the contract of the original service: docs/job-webhooks.md.

const MAX_UINT32 = 4_294_967_295;
const id = z.uuid().describe('Chosen by the service.');
const createdAt = z.iso.datetime().describe('When it was created, in whole seconds.');

export const webhookRequest = z
  .object({
    url: z.string().min(1).max(MAX_URL).describe('Where the request is sent: http or https.'),
    requestBody: z
      .string()
      .max(MAX_REQUEST_BODY)
      .default('')
      .describe('The body that is sent, as it stands.'),
    description: z.string().max(4_096).default(''),
  })
  .meta({ title: 'A webhook to be created' });

export const webhookAnswer = z
  .object({ id, url: z.string(), requestBody: z.string(), description: z.string(), createdAt })
  .meta({ title: 'A webhook' });
export type WebhookAnswer = z.infer<typeof webhookAnswer>;

const timeoutSeconds = z
  .int()
  .min(0)
  .max(MAX_UINT32)
  .describe('Within this time from the creation of the watcher the Job has to be done; 0: no limit.');

export const watcherRequest = z
  .object({
    jobName: z
      .string()
      .max(253)
      .describe('Name of the Job; a DNS-1123 name. It may be created later, or be done already.'),
    timeoutSeconds: timeoutSeconds.default(0),
    jobDoneTriggerWebhooks: z
      .array(
        z.object({
          webhookId: z
            .string()
            .min(1)
            .max(253)
            .describe("A webhook's id; or the name of a Webhook in Kubernetes."),
          timeoutSeconds: timeoutSeconds.default(0),
        }),
      )
      .max(MAX_TRIGGERS),
  })
  .meta({ title: 'A watcher to be created' });
export type WatcherRequest = z.infer<typeof watcherRequest>;

const watcherStatus = z.enum(WATCHER_PHASES);
const triggerStatus = z.enum(TRIGGER_STATUSES);

export const watcherAnswer = z
  .object({
    id,
    jobName: z.string(),
    timeoutSeconds: timeoutSeconds.optional().describe('Absent when 0.'),
    status: watcherStatus,
    createdAt,
    jobDoneTriggerWebhooks: z.array(
      z.object({
        id: z.string(),
        webhookId: z.string(),
        timeoutSeconds: timeoutSeconds.optional().describe('Absent when 0.'),
        status: triggerStatus,
        calledAt: z.iso.datetime().optional().describe('When the webhook took it; absent before.'),
      }),
    ),
  })
  .meta({ title: 'A watcher' });
export type WatcherAnswer = z.infer<typeof watcherAnswer>;

export const problemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong, and what to do.'),
    reason: z.string().optional().describe('One word for programs.'),
  })
  .meta({ title: 'RFC 9457' });

/** The id that REST knows an object by: its name if that is a UUID, as of all that REST made, else its UID. */
export function idOf({ name, uid }: { readonly name: string; readonly uid: string }): string {
  return isUuid(name) ? name : uid;
}

/** An id as a caller writes it, in the way that we know it by: UUIDs in lower case. Names stay as they are. */
export function readId(given: string): string {
  const lower = given.toLowerCase();
  return isUuid(lower) ? lower : given;
}

export function toWebhookAnswer({ metadata, spec }: Webhook): WebhookAnswer {
  const { url, requestBody, description } = spec;
  return { id: idOf(metadata), url, requestBody, description, createdAt: metadata.creationTimestamp ?? '' };
}

/** @param webhookId the id of a Webhook of the watcher's namespace, by name */
export function toWatcherAnswer(watcher: JobDoneWatcher, webhookId: (name: string) => string): WatcherAnswer {
  const { metadata, spec, status } = watcher;
  return {
    id: idOf(metadata),
    jobName: spec.jobName,
    ...(spec.timeoutSeconds > 0 && { timeoutSeconds: spec.timeoutSeconds }),
    status: status?.phase ?? 'PENDING',
    createdAt: metadata.creationTimestamp,
    jobDoneTriggerWebhooks: spec.webhooks.map((trigger) => {
      const state = status?.webhooks?.find((each) => each.id === trigger.id);
      return {
        id: trigger.id,
        webhookId: webhookId(trigger.webhook),
        ...(trigger.timeoutSeconds > 0 && { timeoutSeconds: trigger.timeoutSeconds }),
        status: state?.status ?? 'NOT_CALLED',
        ...(state?.calledAt !== undefined && { calledAt: state.calledAt }),
      };
    }),
  };
}
