import { SHUTDOWN_CAUSES, type ShutdownCause } from '../../contract/index.ts';
import {
  isConfirmed,
  isFreeToGo,
  isHolding,
  MAX_CONVERSATION_PODS,
  MAX_CONVERSATIONS,
  type Conversation,
  type ConversationPod,
  type GoingPod,
} from '../conversation.ts';
import {
  areComplete,
  endAsComplete,
  endConversation,
  formOf,
  isOpen,
  joinConversation,
  openConversation,
  podOf,
  type Draft,
  type ShutdownSituation,
} from './draft.ts';
import type { LivePod } from './live-pod.ts';
import { withinSurplus } from './surplus.ts';
import { conversationBegun } from './shutdown-events.ts';
import { useVoluntary } from './use-voluntary.ts';

/** Takes up what the gate has stored: a pod that some conversation is about already is only marked, one that is gone is forgotten. */
export function foldGoing(draft: Draft, s: ShutdownSituation): void {
  const inhabitants = new Set(s.inhabitants.map(({ uid }) => uid));
  for (const [uid, { cause, removal }] of Object.entries(draft.shutdown.going)) {
    const about = draft.shutdown.conversations.find(
      ({ outcome, pods }) => outcome !== 'cancelled' && pods.some((pod) => pod.uid === uid),
    );
    const pod = about?.pods.find((candidate) => candidate.uid === uid);
    if (pod !== undefined) {
      pod.cause = strongest([pod.cause, cause]);
      if (removal !== undefined) pod.removal = removal;
    }
    const isForgotten = pod !== undefined || !inhabitants.has(uid) || isWantedInVain(draft, uid, cause);
    if (isForgotten) forget(draft.shutdown.going, uid);
  }
}

/**
 * A person has said that the pod stays. Whoever evicts it tries again by himself, and is refused until the deadline that was cancelled; a person who
 * deletes it again has changed his mind.
 */
function isWantedInVain(draft: Draft, uid: string, cause: ShutdownCause): boolean {
  if (cause === 'deletion') return false;
  return draft.shutdown.conversations.some(
    ({ outcome, doneAt, pods }) =>
      outcome === 'cancelled' && doneAt === undefined && pods.some((pod) => pod.uid === uid),
  );
}

/** Begins the conversations that are due, the whole application's first. */
export function beginConversations(draft: Draft, s: ShutdownSituation): void {
  if (!s.completing && s.spec.causes.includes('deletion')) {
    if (isLeaving(s)) beginForApplication(draft, s);
    else beginForWorkloads(draft, s);
  }
  beginForGoing(draft, s);
}

/** All of it goes: its workloads, or its namespace. */
export function isLeaving(s: Pick<ShutdownSituation, 'view' | 'asking'>): boolean {
  if (s.view.namespaceState === 'terminating') return true;
  return s.asking.length > 0 && s.asking.every(({ deleting, orphaning }) => deleting && !orphaning);
}

function beginForApplication(draft: Draft, s: ShutdownSituation): void {
  const pods = leavingPods(s).filter(({ uid }) => !isSpokenFor(draft, uid));
  if (pods.length === 0) return;
  const open = draft.shutdown.conversations.find(takesMore);
  if (open !== undefined) {
    joinConversation(s, open, pods);
    useVoluntary(draft, s, open, pods);
  } else if (!mustWait(draft, s)) begin(draft, s, 'application', 'deletion', pods);
}

/** Each pod is asked, and its goodbyes are still awaited. */
export function takesMore(conversation: Conversation): boolean {
  const { scope, form, givenUpAt, pods } = conversation;
  return (
    scope === 'application' &&
    form === 'pod' &&
    isHolding(conversation) &&
    givenUpAt === undefined &&
    pods.length < MAX_CONVERSATION_PODS
  );
}

/** Those whose workload goes; where it has let them go (an orphaning deletion) they stay, and nobody is asked. */
function leavingPods(s: ShutdownSituation): LivePod[] {
  if (s.view.namespaceState === 'terminating') return [...s.inhabitants];
  const going = new Set(
    s.asking.filter(({ deleting, orphaning }) => deleting && !orphaning).map(({ ref }) => ref.uid),
  );
  return s.inhabitants.filter(({ rootUid }) => rootUid !== undefined && going.has(rootUid));
}

/** Some workloads of a group go: it is about their pods, and the others stay untouched. */
function beginForWorkloads(draft: Draft, s: ShutdownSituation): void {
  const pods = leavingPods(s).filter(({ uid }) => !isSpokenFor(draft, uid));
  if (pods.length === 0 || mustWait(draft, s)) return;
  begin(draft, s, 'pods', 'deletion', pods);
}

function beginForGoing(draft: Draft, s: ShutdownSituation): void {
  const { going } = draft.shutdown;
  const named = s.inhabitants.filter(({ uid }) => going[uid] !== undefined && !isSpokenFor(draft, uid));
  const desired = s.live.desired ?? new Map<string, number>();
  const pods = withinSurplus(named, s.pods, draft.shutdown, desired, (uid) => isSpokenFor(draft, uid));
  for (const pod of named) if (!pods.includes(pod)) forget(going, pod.uid);
  const groups = formOf(s.spec) === 'service' ? [pods] : pods.map((pod) => [pod]);
  for (const group of groups) {
    if (group.length === 0 || mustWait(draft, s)) continue;
    const causes = group.map(({ uid }) => going[uid]?.cause);
    begin(draft, s, 'pods', strongest(causes) ?? 'deletion', group);
  }
  foldGoing(draft, s);
}

/** Opens a conversation, unless the goodbye was said before anybody asked: then it ends as it begins. */
export function begin(
  draft: Draft,
  s: ShutdownSituation,
  scope: Conversation['scope'],
  reason: Conversation['reason'],
  pods: readonly LivePod[],
  nodeSelector?: Readonly<Record<string, string>>,
): void {
  const causes: Readonly<Record<string, GoingPod>> = draft.shutdown.going;
  const about = pods.slice(0, MAX_CONVERSATION_PODS).map((pod): ConversationPod => {
    const { cause, removal } = causes[pod.uid] ?? {};
    return {
      ...podOf(pod),
      ...(cause === undefined ? {} : { cause }),
      ...(removal === undefined ? {} : { removal }),
    };
  });
  const conversation = openConversation(draft, s, {
    scope,
    reason,
    pods: about,
    ...(nodeSelector === undefined ? {} : { nodeSelector: { ...nodeSelector } }),
  });
  if (areComplete(pods, s)) {
    endAsComplete(draft, s, conversation);
    return;
  }
  draft.events.push(conversationBegun(conversation, s));
  useVoluntary(draft, s, conversation, pods);
  if (isConfirmed(conversation)) endConversation(draft, s, conversation, 'voluntary');
}

/** Some conversation is about the pod, or has let it go. */
function isSpokenFor(draft: Draft, uid: string): boolean {
  const { conversations } = draft.shutdown;
  if (isFreeToGo(conversations, uid)) return true;
  return conversations.some(
    (conversation) => isOpen(conversation) && conversation.pods.some((pod) => pod.uid === uid),
  );
}

/** A PUT to the service's token says not what it answers: one conversation after the other. */
function mustWait(draft: Draft, s: ShutdownSituation): boolean {
  const { conversations } = draft.shutdown;
  if (conversations.length >= MAX_CONVERSATIONS) return true;
  return formOf(s.spec) === 'service' && conversations.some(isOpen);
}

function strongest(causes: readonly (ShutdownCause | undefined)[]): ShutdownCause | undefined {
  return SHUTDOWN_CAUSES.find((cause) => causes.includes(cause));
}

/** The map is a plain object of the status. */
function forget(map: Record<string, unknown>, key: string): void {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete map[key];
}
