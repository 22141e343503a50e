import { z } from 'zod';
import { AUTHS, COMPLETE_ACTIONS, GROUP, HOOKS, MANAGED_BY, WORKLOAD_KINDS } from '../contract/index.ts';
import type { ObjectMeta } from '../kube/index.ts';
import { PROOFS, provenPodSchema, shutdownSpecSchema, shutdownStatusSchema } from './conversation.ts';

export const API_VERSION = `${GROUP}/v1alpha1`;
export const APPLICATIONS = { apiVersion: API_VERSION, plural: 'applications' } as const;

/** Krake's states. */
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

/** Kinds that an Application may consist of. A CronJob is none: each of its Jobs is an application of its own. */
export const APPLICATION_KINDS = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'Pod',
] as const satisfies readonly (keyof typeof WORKLOAD_KINDS)[];
export type ApplicationKind = (typeof APPLICATION_KINDS)[number];

/** Kinds without a replica count; `scale-to-zero` means nothing to them. */
export const UNSCALABLE_KINDS: readonly ApplicationKind[] = ['DaemonSet', 'Pod'];

const kindsOf = (apiVersion: string) =>
  APPLICATION_KINDS.filter((kind) => WORKLOAD_KINDS[kind].apiVersion === apiVersion);
const apiVersions = [...new Set(APPLICATION_KINDS.map((kind) => WORKLOAD_KINDS[kind].apiVersion))];
const celList = (words: readonly string[]) => `[${words.map((word) => `'${word}'`).join(', ')}]`;

const kind = z.enum(APPLICATION_KINDS).describe('Kind of the workload, for example Deployment.');
const apiVersion = z.string().min(1).max(253).describe('API version of the workload, for example apps/v1.');
const name = z
  .string()
  .min(1)
  .max(253)
  .describe('Name of the workload, in the namespace of the Application.');

export const workloadRefSchema = z
  .object({
    apiVersion,
    kind,
    name,
    uid: z
      .string()
      .max(64)
      .optional()
      .describe(
        'Only the workload with this UID is meant; without it whichever has the name. Those that were found stand in the status.',
      ),
  })
  .meta({
    'x-kubernetes-validations': apiVersions.map((version) => ({
      rule: `!(self.kind in ${celList(kindsOf(version))}) || self.apiVersion == '${version}'`,
      message: `the apiVersion of ${kindsOf(version).join(', ')} is ${version}`,
    })),
  });
export type WorkloadRef = z.infer<typeof workloadRefSchema>;

/** No more workloads than this in one Application. */
export const MAX_WORKLOADS = 64;

export const applicationSpecSchema = z
  .object({
    workloads: z
      .array(workloadRefSchema)
      .max(MAX_WORKLOADS)
      .default([])
      .describe('The workloads that make up the application.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['kind', 'name'] }),
    hooks: z
      .array(z.enum(HOOKS))
      .max(HOOKS.length)
      .default([])
      .describe('The hooks that are enabled; none: every token is void.')
      .meta({ 'x-kubernetes-list-type': 'set' }),
    completeAction: z
      .enum(COMPLETE_ACTIONS)
      .default('delete')
      .describe('What is done to the workloads when the application says that it is complete.'),
    shutdown: shutdownSpecSchema
      .optional()
      .describe(
        'How the application is asked to shut down; without it, with the shutdown hook, the defaults hold.',
      ),
    completeWhen: z
      .string()
      .regex(/^(all|any|[1-9][0-9]{0,3})$/)
      .default('any')
      .describe('How many pods have to signal that the application is complete: any, all or a number.'),
    auth: z
      .enum(AUTHS)
      .default('token')
      .describe(
        'What proves who signals: the token in the Secret with its certificate, or the identity of the pod.',
      ),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: `self.completeAction != 'scale-to-zero' || self.workloads.all(w, !(w.kind in ${celList(UNSCALABLE_KINDS)}))`,
        message: `${UNSCALABLE_KINDS.join(' and ')} cannot be scaled to zero: choose the completeAction delete or none`,
        fieldPath: '.completeAction',
      },
    ],
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

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
/** More overlap only when somebody rotates again and again. */
export const MAX_FORMER_TOKENS = 4;
export const MAX_CERTIFICATES = 4;

export const certificateStatusSchema = z.object({
  sha256: sha256Hex.describe('SHA-256 of the certificate (DER), in hex.'),
  issuerSha256: sha256Hex.describe('SHA-256 of the certificate that signed it (DER), in hex.'),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime().describe('It is not taken after this.'),
  renewAt: z.iso.datetime().optional().describe('When another one takes its place.'),
});
export type CertificateStatus = z.infer<typeof certificateStatusSchema>;

export const signalSchema = z.object({
  receivedAt: z.iso.datetime().describe('When the signal was stored, RFC 3339.'),
  provenBy: z.enum(PROOFS).describe('What proved who signals.'),
  pod: provenPodSchema.optional().describe('Which pod it was, where that is proven.'),
});
export type Signal = z.infer<typeof signalSchema>;

const boundWorkloadSchema = z.object({ apiVersion, kind, name, uid: z.string().min(1).max(64) });
export type BoundWorkload = z.infer<typeof boundWorkloadSchema>;

export const applicationStatusSchema = z.object({
  phase: z.enum(PHASES).optional().describe("Where the application is in its life, in Krake's states."),
  observedGeneration: z.int().optional().describe('Generation of the spec that this status speaks of.'),
  tokenSha256: sha256Hex.optional().describe('SHA-256 of the token, in hex; absent: no token is valid.'),
  tokenRenewedAt: z.iso
    .datetime()
    .optional()
    .describe('When the token was replaced by another; a pod that started before holds the void one.'),
  tokenIssuedAt: z.iso.datetime().optional().describe('When this token was made.'),
  formerTokens: z
    .array(z.object({ sha256: sha256Hex, validUntil: z.iso.datetime() }))
    .max(MAX_FORMER_TOKENS)
    .optional()
    .describe('Tokens before it that are still taken, and until when.'),
  certificates: z
    .array(certificateStatusSchema)
    .max(MAX_CERTIFICATES)
    .optional()
    .describe(
      'The certificates of the application that are taken, the newest last; one that is not here is revoked.',
    ),
  caBundleSha256: sha256Hex.optional().describe('SHA-256 of the CA bundle in the Secret, in hex.'),
  workloads: z
    .array(boundWorkloadSchema)
    .max(MAX_WORKLOADS)
    .optional()
    .describe(
      'The workloads that the token and the signals speak of. A workload with another UID is another one, whatever its name.',
    )
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['uid'] }),
  signals: z
    .object({
      complete: signalSchema.optional(),
      shutdown: signalSchema
        .optional()
        .describe(
          'A goodbye that nobody has asked for yet: the next conversation with pods that were there then needs no call.',
        ),
      shutdownFrom: z
        .record(z.string().max(64), signalSchema)
        .optional()
        .describe(
          'The same in the pod form: by UID of the pod where that is proven, else by its IP address.',
        ),
      completeFrom: z
        .record(z.string().max(64), signalSchema)
        .optional()
        .describe('completeWhen all or a number: the pods that are complete so far, by UID.'),
    })
    .optional()
    .describe('The signals received, by hook.'),
  shutdown: shutdownStatusSchema
    .optional()
    .describe('The conversations before pods go; absent: the shutdown hook is off.'),
  handledRotation: z
    .string()
    .max(512)
    .optional()
    .describe("The person's request to rotate that was answered last, until its annotation is gone."),
  conditions: z
    .array(conditionSchema)
    .max(16)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
  finishedAt: z.iso
    .datetime()
    .optional()
    .describe('When the application came to its end; it is kept for a time to live after that.'),
});
export type ApplicationStatus = z.infer<typeof applicationStatusSchema>;

/** Label and value of an Application that the controller made and keeps; without it, its spec belongs to its user. */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export function isManaged(application: Pick<Application, 'metadata'>): boolean {
  return application.metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
}

/** An Application as read from the API server (defaults of the schema applied there). */
export interface Application {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Application';
  readonly metadata: ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: ApplicationSpec;
  readonly status?: ApplicationStatus;
}
