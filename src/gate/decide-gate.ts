import { isComplete, isFreeToGo, isHolding } from '../applications/index.ts';
import type { ShutdownCause } from '../contract/index.ts';
import type { Cause } from './cause-of.ts';
import { isAbout, type GateApplication } from './gate-application.ts';
import type { PodFacts } from './pod-facts.ts';

/** Why a pod may go. The same code stands in the log, the metric and the audit annotation. */
export const PASS_REASONS = [
  'other-request',
  'system-namespace',
  'pod-gone',
  'precondition',
  'terminating',
  'ended',
  'not-started',
  'no-hook',
  'unstoppable',
  'no-application',
  'hook-off',
  'complete',
  'free',
  'cause-not-chosen',
] as const;
export type PassReason = (typeof PASS_REASONS)[number];

/** A pod that somebody wants to remove. */
export interface Asked {
  readonly pod: PodFacts;
  readonly cause: Cause;
  /** By the eviction subresource, which a PodDisruptionBudget may refuse; else by DELETE. */
  readonly byEviction: boolean;
}

export type GateDecision =
  | { readonly outcome: 'passes'; readonly reason: PassReason }
  | { readonly outcome: 'holds'; readonly cause: ShutdownCause };

type Check<Arguments extends unknown[]> = readonly [PassReason, (...args: Arguments) => boolean];

/** What the pod itself and who asks tell. */
const POD_CHECKS: readonly Check<[Asked]>[] = [
  ['terminating', ({ pod }) => pod.isTerminating],
  ['ended', ({ pod }) => pod.hasEnded],
  ['not-started', ({ pod }) => !pod.hasStarted],
  ['no-hook', ({ pod }) => !pod.asksForShutdown || pod.application === undefined],
  ['unstoppable', ({ cause }) => cause === 'unstoppable'],
];

const APPLICATION_CHECKS: readonly Check<[GateApplication, Asked]>[] = [
  ['hook-off', (application) => !application.asksForShutdown],
  ['complete', (application, { pod }) => isComplete(application.complete, pod)],
  ['free', (application, { pod }) => isFreeToGo(application.conversations, pod.uid)],
  [
    'cause-not-chosen',
    (application, { pod, cause }) =>
      cause !== 'unstoppable' && !application.causes.includes(cause) && !isBeingAsked(application, pod.uid),
  ],
];

/** As far as it can be seen without the Application; undefined: it has to be looked at. */
export function checkPod(asked: Asked): PassReason | undefined {
  return POD_CHECKS.find(([, applies]) => applies(asked))?.[0];
}

/** Pure; the first reason wins. Asked again about the same it decides the same. */
export function decideGate(asked: Asked, application: GateApplication | undefined): GateDecision {
  const reason = checkPod(asked) ?? checkApplication(asked, application);
  // checkPod has let those through whom nothing stops.
  if (reason !== undefined || asked.cause === 'unstoppable') {
    return { outcome: 'passes', reason: reason ?? 'unstoppable' };
  }
  return { outcome: 'holds', cause: asked.cause };
}

function checkApplication(asked: Asked, application: GateApplication | undefined): PassReason | undefined {
  if (application === undefined) return 'no-application';
  return APPLICATION_CHECKS.find(([, applies]) => applies(application, asked))?.[0];
}

/**
 * It is saving its state right now, because it was asked to. A scale-down that would pass otherwise must not cut that short: nobody would
 * ever know whether the goodbye was complete.
 */
function isBeingAsked({ conversations }: GateApplication, podUid: string): boolean {
  return conversations.some((conversation) => isHolding(conversation) && isAbout(conversation, podUid));
}
