import { z } from 'zod';
import { COMPLETE_ACTIONS, GROUP, HOOKS } from '../contract/index.ts';
import type { ObjectMeta } from '../kube/index.ts';

export const API_VERSION = `${GROUP}/v1alpha1`;
export const APPLICATIONS = { apiVersion: API_VERSION, plural: 'applications' } as const;

/** Krake's states; Pending, Running, Deleting, Degraded, Failed and Completed are in use, the others come with the shutdown hook. */
export const PHASES = [
  'Pending',
  'Running',
  'WaitingForCleaning',
  'ReadyForAction',
  'Migrating',
  'Deleting',
  'Degraded',
  'Failed',
  'Completed',
] as const;
export type Phase = (typeof PHASES)[number];

export const workloadRefSchema = z.object({
  apiVersion: z.string().min(1).max(253).describe('API version of the workload, for example apps/v1.'),
  kind: z.string().min(1).max(63).describe('Kind of the workload, for example Deployment.'),
  name: z.string().min(1).max(253).describe('Name of the workload, in the namespace of the Application.'),
  uid: z
    .string()
    .max(64)
    .optional()
    .describe('UID of the workload that was found; a namesake created later is another workload.'),
});
export type WorkloadRef = z.infer<typeof workloadRefSchema>;

export const applicationSpecSchema = z.object({
  workloads: z
    .array(workloadRefSchema)
    .max(64)
    .default([])
    .describe('The workloads that make up the application.'),
  hooks: z
    .array(z.enum(HOOKS))
    .max(HOOKS.length)
    .default([])
    .describe('The hooks that are enabled; none: every token is void.'),
  completeAction: z
    .enum(COMPLETE_ACTIONS)
    .default('delete')
    .describe('What is done to the workloads when the application says that it is complete.'),
  completeWhen: z.enum(['any']).default('any').describe('Whose signal completes the application: any pod.'),
});
export type ApplicationSpec = z.infer<typeof applicationSpecSchema>;

export const conditionSchema = z.object({
  type: z.string().max(316),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(1024),
  message: z.string().max(32_768),
  lastTransitionTime: z.iso.datetime(),
  observedGeneration: z.int().optional(),
});
export type Condition = z.infer<typeof conditionSchema>;

export const signalSchema = z.object({
  receivedAt: z.iso.datetime().describe('When the signal was stored, RFC 3339.'),
  provenBy: z.enum(['token']).describe('What proved who signals.'),
});
export type Signal = z.infer<typeof signalSchema>;

export const applicationStatusSchema = z.object({
  phase: z.enum(PHASES).optional().describe("Where the application is in its life, in Krake's states."),
  observedGeneration: z.int().optional().describe('Generation of the spec that this status speaks of.'),
  tokenSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe('SHA-256 of the token, in hex; absent: no token is valid.'),
  signals: z
    .object({ complete: signalSchema.optional(), shutdown: signalSchema.optional() })
    .optional()
    .describe('The signals received, by hook.'),
  conditions: z.array(conditionSchema).max(16).optional(),
  finishedAt: z.iso
    .datetime()
    .optional()
    .describe('When the application came to its end; it is kept for a time to live after that.'),
});
export type ApplicationStatus = z.infer<typeof applicationStatusSchema>;

/** An Application as read from the API server (defaults of the schema applied there). */
export interface Application {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Application';
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: ApplicationSpec;
  readonly status?: ApplicationStatus;
}
