import { ANNOTATION_REQUEST, parsePersonRequest, type ParsedRequest } from '../../contract/index.ts';
import type { PlannedEvent } from '../application-view.ts';
import { isHolding, isMoving, isUnderWay, type Conversation } from '../conversation.ts';
import { begin, beginConversations, foldGoing } from './begin-conversations.ts';
import {
  endConversation,
  formOf,
  openRound,
  startAttempt,
  type Draft,
  type ShutdownSituation,
} from './draft.ts';
import { requestRefused, requestTaken } from './shutdown-events.ts';

/** The person's wish that stands in the annotation; undefined: there is none. */
export function requestOf({ app }: Pick<ShutdownSituation, 'app'>): string | undefined {
  return app.metadata.annotations?.[ANNOTATION_REQUEST];
}

/** Carries a person's request out, once: that it was is stored with its effect, and the annotation is taken away afterwards. */
export function answerRequest(draft: Draft, s: ShutdownSituation): void {
  const text = requestOf(s);
  const { handledRequest } = draft.shutdown;
  if (text === undefined) delete draft.shutdown.handledRequest;
  if (text === undefined) return;
  // As the API server gives it back: half a character would not be the same.
  const handled = text.slice(0, MAX_LENGTH).toWellFormed();
  if (handled === handledRequest) return;
  draft.shutdown.handledRequest = handled;
  const parsed = parsePersonRequest(text);
  const problem =
    parsed === undefined
      ? 'it is none of retry, release, cancel, migrate, migrate:KEY=VALUE, rotate, rotate:DURATION'
      : ANSWERS[parsed.request](draft, s, parsed);
  const event: PlannedEvent =
    problem === undefined ? requestTaken(text, s) : requestRefused(text.slice(0, MAX_SHOWN), problem, s);
  draft.events.push(event);
}

const MAX_LENGTH = 512;
const MAX_SHOWN = 63;

/** Each says why it cannot be done; undefined: it is. What is about token and certificate is answered before. */
const ANSWERS = { retry, release, cancel, migrate, rotate: () => undefined } as const;

function retry(draft: Draft, s: ShutdownSituation): string | undefined {
  const held = holding(draft);
  for (const conversation of held) {
    if (conversation.givenUpAt !== undefined) openRound(draft, s, conversation);
    else askAgain(draft, s, conversation);
  }
  return held.length > 0 ? undefined : 'nothing is held';
}

/** The deadline stays as it is. */
function askAgain(draft: Draft, s: ShutdownSituation, conversation: Conversation): void {
  if (conversation.form === 'service') {
    startAttempt(draft, s, conversation, conversation);
    return;
  }
  const there = new Set(s.inhabitants.map(({ uid }) => uid));
  for (const pod of conversation.pods)
    if (pod.confirmation === undefined && there.has(pod.uid)) startAttempt(draft, s, conversation, pod, pod);
}

function release(draft: Draft, s: ShutdownSituation): string | undefined {
  if (holding(draft).length === 0) return 'nothing is held';
  endAll(draft, s, 'released');
  return undefined;
}

function cancel(draft: Draft, s: ShutdownSituation): string | undefined {
  const freed = draft.shutdown.conversations.filter(
    (conversation) => !s.completing && isUnderWay(conversation) && isUnfinished(conversation, s),
  );
  if (holding(draft).length === 0 && freed.length === 0) return 'nothing is held or about to go';
  if (s.view.namespaceState === 'terminating')
    return 'the namespace is being deleted, which cannot be taken back; wait, or request release';
  if (s.asking.some(({ deleting }) => deleting))
    return 'a workload of the application is being deleted, which cannot be taken back; wait, or request release';
  for (const conversation of freed) endConversation(draft, s, conversation, 'cancelled');
  endAll(draft, s, 'cancelled');
  return undefined;
}

/** It has not come to its end: its successors do not run yet, or a pod is still there, as one that a PodDisruptionBudget keeps. */
function isUnfinished(conversation: Conversation, s: ShutdownSituation): boolean {
  const { pods } = conversation;
  if (isMoving(conversation)) return true;
  return pods.some(({ uid, cause }) => cause !== undefined && s.inhabitants.some((pod) => pod.uid === uid));
}

/** With those that wait for the conversation before them, as they do in the service form: a person means all that is held now. */
function endAll(draft: Draft, s: ShutdownSituation, outcome: 'released' | 'cancelled'): void {
  const end = () => {
    for (const conversation of holding(draft)) endConversation(draft, s, conversation, outcome);
  };
  end();
  if (formOf(s.spec) !== 'service') return;
  foldGoing(draft, s);
  beginConversations(draft, s);
  end();
}

function migrate(draft: Draft, s: ShutdownSituation, { nodeSelector }: ParsedRequest): string | undefined {
  if (s.asking.length === 0) return 'the application has no workload';
  if (s.asking.some(({ deleting }) => deleting)) return 'a workload of the application is being deleted';
  if (holding(draft).length > 0)
    return 'a shutdown is under way already; wait for its end, or request cancel';
  const fixed = s.asking.find(({ ref: { kind } }) => kind === 'Pod' || kind === 'DaemonSet');
  if (fixed !== undefined) {
    const why =
      fixed.ref.kind === 'Pod' ? 'nothing would bring it back' : 'it runs on each of its nodes already';
    return `${fixed.ref.kind} ${fixed.ref.name} cannot be moved: ${why}`;
  }
  const isSelective = Object.keys(nodeSelector).length > 0;
  const job = s.asking.find(({ ref: { kind } }) => kind === 'Job');
  if (isSelective && job !== undefined) {
    return `the pod template of Job ${job.ref.name} cannot be changed; request migrate without a node selector`;
  }
  const former = draft.shutdown.conversations.filter(isMoving);
  // Where it moves already, its pods may be waiting for nodes that there are not: they go too.
  const pods = former.length === 0 ? s.inhabitants : s.pods.filter((pod) => !pod.deleting && !pod.finished);
  if (former.length === 0 && pods.length === 0) return 'no pod of it runs';
  for (const conversation of former) endConversation(draft, s, conversation, 'cancelled');
  // Only the pods that are there now: those that come back are not to go again.
  begin(draft, s, 'pods', 'requested', pods, nodeSelector);
  return undefined;
}

function holding(draft: Draft): Conversation[] {
  return draft.shutdown.conversations.filter(isHolding);
}
