import { z } from 'zod';
import {
  SHUTDOWN_CAUSES,
  SHUTDOWN_FAILURES,
  MAX_SHUTDOWN_RETRIES,
  DEFAULT_SHUTDOWN,
} from '../contract/index.ts';

const time = z.iso.datetime();
const uid = z.string().min(1).max(64);

/** What proved who signals. `token`: alone, where no certificate is required. */
export const PROOFS = ['token', 'token-and-certificate', 'pod-identity'] as const;
export type Proof = (typeof PROOFS)[number];

export const provenPodSchema = z.object({ name: z.string().min(1).max(253), uid });
export type ProvenPod = z.infer<typeof provenPodSchema>;

export const shutdownSpecSchema = z.object({
  service: z
    .string()
    .max(512)
    .regex(/^(https?:\/\/)?[a-z][-a-z0-9]*(:[-a-z0-9]+)?(\/[^\s]*)?$/)
    .default(DEFAULT_SHUTDOWN.service)
    .describe(
      'Where the application is asked: [http://|https://]NAME[:PORT][/PATH] with a Service of the namespace, or pod:PORT[/PATH] for each pod itself.',
    ),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(DEFAULT_SHUTDOWN.timeoutSeconds)
    .describe('How long its goodbye is awaited, in each round.'),
  retries: z
    .int()
    .min(0)
    .max(MAX_SHUTDOWN_RETRIES)
    .default(DEFAULT_SHUTDOWN.retries)
    .describe('How many further rounds follow a deadline that has passed.'),
  failure: z
    .enum(SHUTDOWN_FAILURES)
    .default(DEFAULT_SHUTDOWN.failure)
    .describe(
      'What follows the last deadline: go on as if it had confirmed, or hold until a person decides.',
    ),
  causes: z
    .array(z.enum(SHUTDOWN_CAUSES))
    .max(SHUTDOWN_CAUSES.length)
    .default([...DEFAULT_SHUTDOWN.causes])
    .describe('Before what it is asked.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
  when: z
    .string()
    .regex(/^(all|any|[1-9][0-9]{0,3})$/)
    .default(DEFAULT_SHUTDOWN.when)
    .describe('How many of the asked pods have to confirm (pod form): all, any or a number.'),
});
export type ShutdownSpec = z.infer<typeof shutdownSpecSchema>;

export const confirmationSchema = z.object({
  receivedAt: time.describe('When it was stored, RFC 3339.'),
  provenBy: z.enum(PROOFS).describe('What proved who confirms.'),
  pod: provenPodSchema
    .optional()
    .describe('Which pod it was, where that is proven; of a pod that was asked it stands beside this.'),
});
export type Confirmation = z.infer<typeof confirmationSchema>;

/** What became of asking: written before the call is made, and when it has ended. */
export const askSchema = z.object({
  attempts: z.int().min(1).describe('Calls begun in this round, this one included.'),
  attemptedAt: time.describe('When the last of them began.'),
  acceptedAt: time
    .optional()
    .describe('When it was answered with success (2xx); there is no further call in this round.'),
  nextAttemptAt: time
    .optional()
    .describe('When the next call begins; there is one after a call that failed.'),
  lastError: z.string().max(256).optional().describe('Why the last call failed.'),
});
export type Ask = z.infer<typeof askSchema>;

/** A pod that was to go by DELETE is deleted afterwards, whatever the cause is called: who deletes asks no PodDisruptionBudget. */
const removalSchema = z.enum(['delete']);

export const conversationPodSchema = z.object({
  uid,
  name: z.string().min(1).max(253),
  address: z.string().max(64).optional().describe('IP address of the pod, when it is asked itself.'),
  cause: z
    .enum(SHUTDOWN_CAUSES)
    .optional()
    .describe(
      'Why somebody wanted to remove it and was refused; the controller carries that out afterwards.',
    ),
  removal: removalSchema
    .optional()
    .describe('It was to be deleted, although the cause is eviction (a taint, a preemption).'),
  removalError: z
    .string()
    .max(256)
    .optional()
    .describe(
      'Why its removal was refused, as by a PodDisruptionBudget; of one pod of a conversation at a time.',
    ),
  ask: askSchema.optional().describe('pod form: how this pod was asked.'),
  confirmation: confirmationSchema.optional().describe('pod form: its goodbye.'),
});
export type ConversationPod = z.infer<typeof conversationPodSchema>;

export const CONVERSATION_REASONS = [...SHUTDOWN_CAUSES, 'requested'] as const;
export type ConversationReason = (typeof CONVERSATION_REASONS)[number];

/** How a conversation ended. All but `cancelled` let the pods go. */
export const OUTCOMES = [
  'confirmed',
  'voluntary',
  'completed',
  'released',
  'timed-out',
  'pods-gone',
  'cancelled',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** No more pods than this in one conversation; what is beyond begins the next. */
export const MAX_CONVERSATION_PODS = 2_000;
export const MAX_CONVERSATIONS = 256;

export const conversationSchema = z.object({
  id: z.string().min(1).max(128).describe('Names the conversation in calls (webhook-id), logs and Events.'),
  scope: z
    .enum(['application', 'pods'])
    .describe('Whether the whole application goes (pods that come later included), or these pods only.'),
  form: z.enum(['service', 'pod']).describe('Who is asked: the shutdown service once, or each pod.'),
  reason: z.enum(CONVERSATION_REASONS).describe('Why it began.'),
  startedAt: time.describe('When it began.'),
  roundStartedAt: time.describe('When this round began.'),
  deadline: time.describe('When this round ends. Never moved; a further round has a deadline of its own.'),
  round: z.int().min(1).describe('1, and one more for each retry after a deadline.'),
  needed: z
    .int()
    .min(1)
    .describe('How many confirmations end it: of the service one, in the pod form so many pods.'),
  ask: askSchema.optional().describe('service form: how the service was asked.'),
  confirmation: confirmationSchema.optional().describe('service form: the goodbye.'),
  pods: z
    .array(conversationPodSchema)
    .max(MAX_CONVERSATION_PODS)
    .describe('The pods that it is about.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['uid'] }),
  givenUpAt: time
    .optional()
    .describe('The last deadline has passed and the failure policy is give-up: held until a person decides.'),
  outcome: z.enum(OUTCOMES).optional().describe('How it ended; absent: it goes on.'),
  endedAt: time.optional(),
  doneAt: time
    .optional()
    .describe(
      'Its pods are gone, or it was cancelled and its deadline has passed; it is only kept to know a goodbye again that is repeated or late.',
    ),
  nodeSelector: z
    .record(z.string().max(317), z.string().max(63))
    .optional()
    .describe('requested: labels of the nodes to move to.'),
  movedAt: time
    .optional()
    .describe('requested: when all pod templates had the node selector; it is not written again.'),
});
export type Conversation = z.infer<typeof conversationSchema>;

export const goingPodSchema = z.object({
  name: z.string().min(1).max(253),
  cause: z.enum(SHUTDOWN_CAUSES),
  removal: removalSchema
    .optional()
    .describe('It was to be deleted, although the cause is eviction (a taint, a preemption).'),
  requestedAt: time,
});
export type GoingPod = z.infer<typeof goingPodSchema>;

export const shutdownTargetSchema = z.object({
  service: z.string().max(63),
  port: z.int().min(1).max(65_535),
  targetPort: z.string().max(63).describe('Number or name, as the pods have it.'),
  selector: z.record(z.string().max(317), z.string().max(63)),
});
export type ShutdownTarget = z.infer<typeof shutdownTargetSchema>;

export const shutdownStatusSchema = z.object({
  sequence: z.int().min(0).describe('Conversations begun so far.'),
  going: z
    .record(z.string().max(64), goingPodSchema)
    .describe('Pods by UID that somebody wants to remove; written by the gate, taken up by the controller.'),
  conversations: z
    .array(conversationSchema)
    .max(MAX_CONVERSATIONS)
    .describe('Those that go on, and the latest that ended.'),
  target: shutdownTargetSchema
    .optional()
    .describe(
      'What the shutdown service leads to, for the case that its namespace is deleted and the Service goes first.',
    ),
  handledRequest: z
    .string()
    .max(512)
    .optional()
    .describe("The person's request that was carried out last, until its annotation is gone."),
});
export type ShutdownStatus = z.infer<typeof shutdownStatusSchema>;

/** Whether it is removed by an eviction, which a PodDisruptionBudget may put off; else by a deletion. */
export function isEvicted({ cause, removal }: Pick<ConversationPod, 'cause' | 'removal'>): boolean {
  return cause === 'eviction' && removal !== 'delete';
}

/** As much of a conversation as tells whether its pods may go; a watch cache keeps no more. */
export type ConversationProgress = Pick<
  Conversation,
  'scope' | 'form' | 'needed' | 'confirmation' | 'outcome'
> & { readonly pods: readonly Pick<ConversationPod, 'uid' | 'confirmation'>[] };

/** The goodbye is there: of the service, or of as many pods as are needed. */
export function isConfirmed(conversation: ConversationProgress): boolean {
  const { form, confirmation, pods, needed } = conversation;
  if (form === 'service') return confirmation !== undefined;
  return pods.filter((pod) => pod.confirmation !== undefined).length >= needed;
}

/** It still holds pods: it has neither ended nor been confirmed. One that was given up does. */
export function isHolding(conversation: ConversationProgress): boolean {
  return conversation.outcome === undefined && !isConfirmed(conversation);
}

/** Its pods may go. */
export function letsGo(conversation: ConversationProgress): boolean {
  return conversation.outcome === undefined
    ? isConfirmed(conversation)
    : conversation.outcome !== 'cancelled';
}

/** It moves: it has said goodbye, and its successors do not run yet. */
export function isMoving(conversation: Conversation): boolean {
  return conversation.reason === 'requested' && letsGo(conversation) && conversation.doneAt === undefined;
}

/**
 * It moves, or lets pods go that somebody wants to remove, and a person may still call that off. Pods that nobody has named go with their workload:
 * that cannot be taken back.
 */
export function isUnderWay(conversation: Conversation): boolean {
  const { scope, outcome, doneAt, pods } = conversation;
  if (!letsGo(conversation) || outcome === 'completed' || doneAt !== undefined) return false;
  if (isMoving(conversation)) return true;
  return scope === 'pods' && pods.some(({ cause }) => cause !== undefined);
}

/** Whether a pod of the application may go as far as the conversations say. */
export function isFreeToGo(conversations: readonly ConversationProgress[], podUid: string): boolean {
  return conversations.some(
    (conversation) =>
      letsGo(conversation) && (freesAll(conversation) || conversation.pods.some((pod) => pod.uid === podUid)),
  );
}

/** Pods that come later may go, too. Not where each says goodbye for itself: nobody has asked them. */
function freesAll({ scope, form, outcome }: ConversationProgress): boolean {
  if (scope !== 'application') return false;
  return form === 'service' || outcome === 'completed' || outcome === 'released' || outcome === 'timed-out';
}
