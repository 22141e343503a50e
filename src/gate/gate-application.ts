import {
  completePodsOf,
  type Application,
  type CompletePods,
  type ConversationProgress,
} from '../applications/index.ts';
import { DEFAULT_SHUTDOWN, type ShutdownCause } from '../contract/index.ts';

/** What of an Application decides whether a pod of it may go. */
export interface GateApplication {
  readonly uid: string;
  readonly asksForShutdown: boolean;
  /** Before what it is asked. */
  readonly causes: readonly ShutdownCause[];
  /** The pods of which it has said that they are complete. */
  readonly complete: CompletePods | undefined;
  readonly conversations: readonly ConversationProgress[];
}

const NO_CONVERSATIONS: readonly ConversationProgress[] = [];

/** Of the Application as it was read; refers to parts of it. */
export function gateApplicationOf(application: Application): GateApplication {
  const { metadata, spec, status } = application;
  return {
    uid: metadata.uid,
    asksForShutdown: spec.hooks.includes('shutdown'),
    causes: spec.shutdown?.causes ?? DEFAULT_SHUTDOWN.causes,
    complete: completePodsOf(application),
    conversations: status?.shutdown?.conversations ?? NO_CONVERSATIONS,
  };
}

/** Whether the pod is one of those that go when the conversation has ended well; of the whole application also pods that came later. */
export function isAbout(
  { scope, pods }: Pick<ConversationProgress, 'scope' | 'pods'>,
  podUid: string,
): boolean {
  return scope === 'application' || pods.some(({ uid }) => uid === podUid);
}

/** As {@link gateApplicationOf}, for keeping: refers to nothing of the Application, and has no more than is looked at. */
export function projectGateApplication(application: Application): GateApplication {
  const { conversations, causes, ...others } = gateApplicationOf(application);
  if (conversations.length === 0) return { ...others, causes: [...causes], conversations: NO_CONVERSATIONS };
  return { ...others, causes: [...causes], conversations: conversations.map(progressOf) };
}

function progressOf({ scope, form, needed, ...rest }: ConversationProgress): ConversationProgress {
  return {
    ...{ scope, form, needed },
    ...confirmationOf(rest),
    ...(rest.outcome === undefined ? {} : { outcome: rest.outcome }),
    pods: rest.pods.map((pod) => ({ uid: pod.uid, ...confirmationOf(pod) })),
  };
}

function confirmationOf({
  confirmation,
}: Pick<ConversationProgress, 'confirmation'>): Pick<ConversationProgress, 'confirmation'> {
  return confirmation === undefined ? {} : { confirmation };
}
