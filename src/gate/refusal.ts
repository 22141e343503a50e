import { isHolding, type Application, type Conversation } from '../applications/index.ts';
import {
  ANNOTATION_REQUEST,
  APPLICATIONS_IN_FULL,
  DEFAULT_SHUTDOWN,
  type ShutdownCause,
} from '../contract/index.ts';
import { isAbout } from './gate-application.ts';
import { cancelledFor } from './going-patch.ts';
import type { HoldReason } from './hold-pods.ts';

/** A pod that stays, for the person who wanted it to go. */
export interface HeldPod {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly application: Application;
  readonly reason: HoldReason;
  readonly cause: ShutdownCause;
}

/** What the person reads: which pod, what is awaited, until when, what happens then, and the way out. Never a token. */
export function explainHold(held: HeldPod): string {
  const { namespace, podName, podUid, application, reason } = held;
  const { name } = application.metadata;
  if (reason === 'cancelled') return explainCancelled(held);
  const isDryRun = reason === 'dry-run';
  const open = (application.status?.shutdown?.conversations ?? []).filter(isHolding);
  const about = open.find((conversation) => isAbout(conversation, podUid));
  return [
    `pod ${podName} ${isDryRun ? 'would be' : 'is'} kept until the application ${name} has saved its state`,
    about === undefined ? whatComes(application, open[0], isDryRun) : whatIsAwaited(about),
    ...whatFollows(reason, about),
    wayOut(namespace, name, about?.givenUpAt !== undefined),
  ].join('. ');
}

function explainCancelled({ namespace, podName, podUid, application, cause }: HeldPod): string {
  const { name } = application.metadata;
  const deadline = cancelledFor(application, podUid, cause)?.deadline ?? 'its deadline';
  return [
    `pod ${podName} is kept: a person has cancelled its removal`,
    `Until ${deadline} each ${cause} of it is refused; deleting it asks the application ${name} anew`,
    wayOut(namespace, name, false),
  ].join('. ');
}

/** Nobody can say what the gate decides: the API server did not answer it. */
export function explainUndecided(podName: string, application: string): string {
  return (
    `pod ${podName} is kept: whether the application ${application} has saved its state could not be read from the API server in time. ` +
    'Nothing has been remembered: ask again. If that lasts, see the log of krake-hooks-gate in krake-system'
  );
}

function whatComes({ spec }: Application, other: Conversation | undefined, isDryRun: boolean): string {
  const time = `${spec.shutdown?.timeoutSeconds ?? DEFAULT_SHUTDOWN.timeoutSeconds} seconds to confirm`;
  if (isDryRun) return `It would be asked to shut down and have ${time}`;
  // The service is asked one thing after the other.
  if (other?.form !== 'service') return `It is asked to shut down now; it has ${time}`;
  return `It is asked once the goodbye that is awaited until ${other.deadline} has come; it has ${time}`;
}

function whatIsAwaited({ deadline, givenUpAt, round }: Conversation): string {
  if (givenUpAt !== undefined) return `It did not confirm until ${deadline}, so a person has to decide`;
  const again = round > 1 ? ` (round ${round})` : '';
  return `It was asked to shut down; its confirmation is awaited until ${deadline}${again}`;
}

function whatFollows(reason: HoldReason, about: Conversation | undefined): string[] {
  if (reason === 'dry-run') return ['This was a dry run: nobody was asked'];
  if (reason === 'too-many')
    return ['Too many of its pods wait already, so this request is not remembered: ask again later'];
  if (about?.givenUpAt !== undefined) return [];
  return ['The pod is removed by itself then; nothing needs to be done'];
}

function wayOut(namespace: string, name: string, wasGivenUp: boolean): string {
  const command = (request: string) => `krake-hooks ${request} ${name} -n ${namespace}`;
  const again = wasGivenUp ? `To ask it again: ${command('retry')}. ` : '';
  const annotate = `kubectl annotate ${APPLICATIONS_IN_FULL} ${name} -n ${namespace} ${ANNOTATION_REQUEST}=release`;
  return `${again}To let it go at once: ${command('release')}, or ${annotate}`;
}
