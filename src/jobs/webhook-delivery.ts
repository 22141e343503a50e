import { z } from 'zod';
import type { ObjectMeta } from '../kube/index.ts';
import { JOB_EVENTS } from './api-version.ts';

export const DELIVERY_PHASES = ['Pending', 'Delivered', 'DeadLetter', 'Cancelled'] as const;
export type DeliveryPhase = (typeof DELIVERY_PHASES)[number];

/** What is kept of the attempts: the newest. */
export const MAX_LOG = 10;

export const jobEventSchema = z.object({
  type: z.enum([...JOB_EVENTS, 'test']).describe('What happened to the Job.'),
  time: z.iso.datetime().describe('When it happened.'),
  job: z.object({ name: z.string().max(253), uid: z.string().max(64) }),
  reason: z.string().max(256).optional(),
  message: z.string().max(1_024).optional(),
  startTime: z.iso.datetime().optional(),
  completionTime: z.iso.datetime().optional(),
  succeeded: z.int().min(0).default(0),
  failed: z.int().min(0).default(0),
  labels: z.record(z.string().max(317), z.string().max(63)).default({}),
});
export type JobEvent = z.infer<typeof jobEventSchema>;

export const deliverySpecSchema = z
  .object({
    webhook: z.object({
      name: z.string().min(1).max(253).describe('The endpoint: a Webhook of the namespace.'),
      uid: z.string().min(1).max(64),
    }),
    event: jobEventSchema.describe('What the endpoint is told.'),
  })
  .meta({
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'a delivery says what happened: it is not changed' },
    ],
  });
export type DeliverySpec = z.infer<typeof deliverySpecSchema>;

export const attemptSchema = z.object({
  number: z.int(),
  at: z.iso.datetime(),
  durationMs: z.int(),
  status: z.int().optional().describe('HTTP status of the answer.'),
  error: z.string().max(256).optional().describe('Why there was none, or why it is a failure.'),
  response: z.string().max(512).optional().describe('Begin of the answer.'),
});
export type Attempt = z.infer<typeof attemptSchema>;

export const deliveryStatusSchema = z.object({
  phase: z.enum(DELIVERY_PHASES).optional().describe('Absent: Pending.'),
  attempts: z.int().optional().describe('Attempts so far, those of all rounds.'),
  roundAttempts: z.int().optional().describe('Attempts since the creation or the last redelivery.'),
  refusals: z
    .int()
    .optional()
    .describe('Attempts of this round that the endpoint refused in a way that seldom passes.'),
  roundStartedAt: z.iso.datetime().optional(),
  nextAttemptAt: z.iso.datetime().optional().describe('Not before this time is the next attempt.'),
  deliveredAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional().describe('When the phase became what it is, unless Pending.'),
  reason: z.string().max(64).optional().describe('Why it is a dead letter or cancelled.'),
  redelivered: z.string().max(64).optional().describe('The last request for a redelivery that was seen.'),
  log: z.array(attemptSchema).max(MAX_LOG).optional().describe('The newest attempts, the oldest first.'),
});
export type DeliveryStatus = z.infer<typeof deliveryStatusSchema>;

export interface WebhookDelivery {
  readonly apiVersion: string;
  readonly kind: 'WebhookDelivery';
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: DeliverySpec;
  readonly status?: DeliveryStatus;
}

/** The phase that counts: a person's request for a redelivery that nobody has seen yet makes it Pending again. */
export function phaseOf({ status }: Pick<WebhookDelivery, 'status'>): DeliveryPhase {
  return status?.phase ?? 'Pending';
}
