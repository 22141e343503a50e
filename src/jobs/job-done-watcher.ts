import { z } from 'zod';
import type { ObjectMeta } from '../kube/index.ts';

export const WATCHER_PHASES = [
  'PENDING',
  'PROCESSING',
  'COMPLETED',
  'PARTIALLY_COMPLETED',
  'FAILED',
  'TIMEOUT',
  'CANCELLED',
] as const;
export type WatcherPhase = (typeof WATCHER_PHASES)[number];

export const TRIGGER_STATUSES = ['NOT_CALLED', 'CALLED', 'FAILED', 'TIMEOUT', 'CANCELLED'] as const;
export type TriggerStatus = (typeof TRIGGER_STATUSES)[number];

export const MAX_TRIGGERS = 100;
const MAX_UINT32 = 4_294_967_295;

const timeoutSeconds = z
  .int()
  .min(0)
  .max(MAX_UINT32)
  .default(0)
  .describe('The Job has to be done within this time from the creation of the watcher; 0: no limit.');

export const watcherSpecSchema = z
  .object({
    jobName: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
      .describe('Name of the Job, in the namespace of the watcher; it may be created later.'),
    jobUid: z
      .string()
      .max(64)
      .optional()
      .describe('Only the Job with this UID is meant; without it the first one of that name that is seen.'),
    timeoutSeconds,
    webhooks: z
      .array(
        z.object({
          id: z.string().min(1).max(64).describe('Names the entry within the watcher.'),
          webhook: z.string().min(1).max(253).describe('Name of a Webhook of the namespace.'),
          timeoutSeconds,
        }),
      )
      .max(MAX_TRIGGERS)
      .default([])
      .describe(
        'The webhooks that are called when the Job is done, complete or failed, whatever their events say.',
      )
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] }),
  })
  .meta({
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'a watcher is not changed: create another one' },
    ],
  });
export type WatcherSpec = z.infer<typeof watcherSpecSchema>;

const triggerStateSchema = z.object({
  id: z.string().max(64),
  status: z.enum(TRIGGER_STATUSES),
  calledAt: z.iso.datetime().optional().describe('When the endpoint took it.'),
  delivery: z.string().max(253).optional().describe('Name of the WebhookDelivery.'),
  reason: z.string().max(256).optional().describe('Why it was not called.'),
});
export type TriggerState = z.infer<typeof triggerStateSchema>;

/** The default spares a write for each new watcher: the API server shows the phase from the first moment on. */
export const watcherStatusSchema = z
  .object({
    phase: z.enum(WATCHER_PHASES).optional(),
    jobUid: z
      .string()
      .max(64)
      .optional()
      .describe(
        'The Job that the watcher is bound to, since it was first seen; absent where the spec says it.',
      ),
    webhooks: z
      .array(triggerStateSchema)
      .max(MAX_TRIGGERS)
      .optional()
      .describe('Absent while there is nothing to say of any of them.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id'] }),
    finishedAt: z.iso.datetime().optional().describe('When the phase became final.'),
  })
  .default({ phase: 'PENDING' });
export type WatcherStatus = z.infer<typeof watcherStatusSchema>;

export interface JobDoneWatcher {
  readonly apiVersion: string;
  readonly kind: 'JobDoneWatcher';
  readonly metadata: ObjectMeta & {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly creationTimestamp: string;
  };
  readonly spec: WatcherSpec;
  readonly status?: WatcherStatus;
}

/** Terminal states never change again. */
export function isFinal(phase: WatcherPhase | undefined): boolean {
  return phase !== undefined && phase !== 'PENDING' && phase !== 'PROCESSING';
}
