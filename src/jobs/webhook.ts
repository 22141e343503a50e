import { z } from 'zod';
import type { ObjectMeta } from '../kube/index.ts';
import { JOB_EVENTS } from './api-version.ts';

/** The Secret that a webhook's keys are read from unless it names another. */
export const DEFAULT_SECRET_NAME = 'krake-hooks-webhooks';
/** A request body is copied into no other object, but read with every Webhook. */
export const MAX_REQUEST_BODY = 65_536;
export const MAX_URL = 2_048;
/** http or https with a host and no user information. It becomes a pattern of the CRD, so it is RE2 as well. */
export const WEBHOOK_URL = /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[^[\]/?#@:\\\s]+)(:[0-9]{1,5})?([/?#]\S*)?$/;

const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
const labelMap = z.record(z.string().max(317), z.string().max(63));

export const labelSelectorSchema = z.object({
  matchLabels: labelMap.optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string().min(1).max(317),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string().max(63)).max(64).optional(),
      }),
    )
    .max(32)
    .optional(),
});
export type LabelSelector = z.infer<typeof labelSelectorSchema>;

export const webhookSpecSchema = z.object({
  url: z
    .string()
    .min(1)
    .max(MAX_URL)
    .regex(WEBHOOK_URL)
    .describe('Where events are sent: http or https, without user information.'),
  format: z
    .enum(['cloudevents', 'verbatim'])
    .default('cloudevents')
    .describe(
      'cloudevents: the event as CloudEvents 1.0 JSON, signed when there are secretRefs. verbatim: requestBody as it stands (what REST creates).',
    ),
  requestBody: z.string().max(MAX_REQUEST_BODY).default('').describe('verbatim: the body that is sent.'),
  contentType: z
    .string()
    .max(128)
    .regex(/^[\x20-\x7e]+$/)
    .optional()
    .describe('verbatim: Content-Type; default: application/json if requestBody is JSON, else text/plain.'),
  description: z.string().max(4_096).default('').describe('For people.'),
  events: z
    .array(z.enum(JOB_EVENTS))
    .max(JOB_EVENTS.length)
    .default(['complete', 'failed'])
    .describe(
      'The events that are sent to it by annotation, selector or cronJobs. A watcher names the Webhook itself and calls it at the end of its Job, complete or failed, whatever stands here; when its time is over it does so only where timeout stands here.',
    )
    .meta({ 'x-kubernetes-list-type': 'set' }),
  selector: labelSelectorSchema
    .optional()
    .describe('Jobs with these labels are told of without an annotation, from when the Webhook was created.'),
  cronJobs: z
    .array(objectName)
    .max(64)
    .default([])
    .describe('The Jobs of these CronJobs are told of without an annotation.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
  secretRefs: z
    .array(
      z.object({
        name: objectName.default(DEFAULT_SECRET_NAME).describe('A Secret of the same namespace.'),
        key: z
          .string()
          .min(1)
          .max(253)
          .regex(/^[-._a-zA-Z0-9]+$/)
          .describe('Key in it; its value is a Standard Webhooks secret: whsec_… or whsk_….'),
      }),
    )
    .max(4)
    .default([])
    .describe('Keys that sign; several of them sign together, for a rotation without a gap.'),
  timeoutSeconds: z.int().min(1).max(60).default(15).describe('For one attempt, from connection to answer.'),
  concurrency: z.int().min(1).max(64).default(8).describe('Attempts at the same time.'),
  maxAgeSeconds: z
    .int()
    .min(1)
    .max(1_209_600)
    .default(259_200)
    .describe('A delivery is tried for this long, then it is a dead letter.'),
  disabled: z.boolean().default(false).describe('Nothing is sent; what comes becomes a dead letter.'),
});
export type WebhookSpec = z.infer<typeof webhookSpecSchema>;

export const webhookStatusSchema = z.object({
  disabled: z
    .object({
      reason: z.enum(['Gone', 'FailingForLong']),
      message: z.string().max(1_024),
      since: z.iso.datetime(),
      generation: z
        .int()
        .describe('Generation of the spec that was disabled: a changed spec is enabled again.'),
    })
    .optional()
    .describe('Disabled by what the endpoint answered.'),
  failingSince: z.iso.datetime().optional().describe('Begin of the row of failures that still goes on.'),
  failing: z
    .object({
      attempts: z.int().describe('Failed attempts in the row.'),
      lastAt: z.iso.datetime().describe('The last of them; after a long pause a row begins anew.'),
      generation: z.int().describe('Generation of the spec that fails: of a changed one a row begins anew.'),
    })
    .optional()
    .describe('The row of failures; written from time to time.'),
  lastDeliveredAt: z.iso.datetime().optional().describe('When it last took a delivery.'),
  lastError: z.string().max(1_024).optional().describe('Of the last failed attempt.'),
});
export type WebhookStatus = z.infer<typeof webhookStatusSchema>;

/** A Webhook as read from the API server (defaults of the schema applied there). */
export interface Webhook {
  readonly apiVersion: string;
  readonly kind: 'Webhook';
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: WebhookSpec;
  readonly status?: WebhookStatus;
}

/** Why nothing is sent to it; undefined: it is enabled. */
export function whyDisabled({
  spec,
  status,
  metadata,
}: Pick<Webhook, 'spec' | 'status' | 'metadata'>): string | undefined {
  if (spec.disabled) return 'spec.disabled is set';
  const { disabled } = status ?? {};
  if (disabled === undefined || disabled.generation !== (metadata.generation ?? 0)) return undefined;
  return `${disabled.reason}: ${disabled.message}`;
}
