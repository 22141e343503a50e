import { isHolding, type Application, type Conversation } from '../applications/index.ts';
import { ANNOTATION_REQUEST, DEFAULT_SHUTDOWN } from '../contract/index.ts';
import type { HoldReason } from './hold-pods.ts';

/** A pod that stays, for the person who wanted it to go. */
export interface HeldPod {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly application: Application;
  readonly reason: HoldReason;
}

/** What the person reads: which pod, what is awaited, until when, what happens then, and the way out. Never a token. */
export function explainHold({ namespace, podName, podUid, application, reason }: HeldPod): string {
  const { name } = application.metadata;
  const conversations = application.status?.shutdown?.conversations ?? [];
  const open = conversations.filter(isHolding);
  const about = open.find(({ pods }) => pods.some(({ uid }) => uid === podUid));
  const would = reason === 'dry-run' ? 'would be ' : '';
  const sentences = [
    `pod ${podName} ${would === '' ? 'is' : 'would be'} kept until the application ${name} has saved its state`,
    about === undefined ? whatComes(application, open[0]) : whatIsAwaited(about),
    whatFollows(reason, about),
    wayOut(namespace, name, about?.givenUpAt !== undefined),
  ];
  return sentences.filter((sentence) => sentence !== '').join('. ');
}

/** Nobody can say what the gate decides: the API server did not answer it. */
export function explainUndecided(podName: string, application: string): string {
  return (
    `pod ${podName} is kept: whether the application ${application} has saved its state could not be read from the API server in time. ` +
    'Nothing has been remembered: ask again. If that lasts, see the log of krake-hooks-gate in krake-system'
  );
}

function whatComes({ spec }: Application, other: Conversation | undefined): string {
  const seconds = spec.shutdown?.timeoutSeconds ?? DEFAULT_SHUTDOWN.timeoutSeconds;
  const has = `it has ${seconds} seconds to confirm`;
  if (other?.form !== 'service') return `It is asked to shut down now; ${has}`;
  return `It is asked once the goodbye that is awaited until ${other.deadline} has come; ${has}`;
}

function whatIsAwaited({ deadline, givenUpAt, round }: Conversation): string {
  if (givenUpAt !== undefined) return `It did not confirm until ${deadline}, so a person has to decide`;
  const again = round > 1 ? ` (round ${round})` : '';
  return `It was asked to shut down; its confirmation is awaited until ${deadline}${again}`;
}

function whatFollows(reason: HoldReason, about: Conversation | undefined): string {
  if (reason === 'dry-run') return 'This was a dry run: nobody was asked';
  if (reason === 'too-many')
    return 'Too many of its pods wait already, so this request is not remembered: ask again later';
  if (about?.givenUpAt !== undefined) return '';
  return 'The pod is removed by itself then; nothing needs to be done';
}

function wayOut(namespace: string, name: string, wasGivenUp: boolean): string {
  const command = (request: string) => `krake-hooks ${request} ${name} -n ${namespace}`;
  const again = wasGivenUp ? `To ask it again: ${command('retry')}. ` : '';
  const annotate = `kubectl annotate application ${name} -n ${namespace} ${ANNOTATION_REQUEST}=release`;
  return `${again}To let it go at once: ${command('release')}, or ${annotate}`;
}
