import { ANNOTATION_REQUEST, APPLICATIONS_IN_FULL, WORKLOAD_KINDS } from '../../contract/index.ts';
import type { PlannedEvent } from '../application-view.ts';
import type { BoundWorkload } from '../application.ts';
import {
  isEvicted,
  type Ask,
  type Conversation,
  type ConversationPod,
  type Outcome,
} from '../conversation.ts';
import type { Situation } from '../situation.ts';
import { refsOf } from '../wish.ts';

/** An Event about a conversation of many pods names so many of them; the others are in the status. */
const MAX_PODS_TOLD = 10;

const BECAUSE: Readonly<Record<Conversation['reason'], string>> = {
  deletion: 'it is to be deleted',
  eviction: 'it is to be evicted',
  'scale-down': 'it is needed no more',
  requested: 'it is to move, as requested',
};

function event(
  type: PlannedEvent['type'],
  reason: string,
  note: string,
  s: Situation,
  pods: readonly ConversationPod[] = [],
): PlannedEvent {
  const podRefs = pods.slice(0, MAX_PODS_TOLD).map(({ name, uid }): BoundWorkload => {
    return { apiVersion: WORKLOAD_KINDS.Pod.apiVersion, kind: 'Pod', name, uid };
  });
  const known = refsOf(s.asking);
  const others = podRefs.filter(({ uid }) => !known.some((ref) => ref.uid === uid));
  return { type, reason, action: 'Shutdown', note, workloads: [...known, ...others] };
}

export function conversationBegun(c: Conversation, s: Situation): PlannedEvent {
  const what = `${subjectOf(c, s)} is asked to shut down, since ${BECAUSE[c.reason]}`;
  const note = `${what}; its goodbye is awaited until ${c.deadline} (conversation ${c.id})`;
  return event('Normal', 'ShutdownRequested', note, s, c.pods);
}

export function asked(c: Conversation, attempt: number, s: Situation, pod?: ConversationPod): PlannedEvent {
  const whom = pod === undefined ? 'the shutdown service' : `pod ${pod.name}`;
  const note = `${whom} has taken the request to shut down (attempt ${attempt}); its goodbye is awaited until ${c.deadline}`;
  return event('Normal', 'ShutdownAsked', note, s, pod === undefined ? [] : [pod]);
}

export function callFailed(c: Conversation, ask: Ask, s: Situation, pod?: ConversationPod): PlannedEvent {
  const whom = pod === undefined ? 'the shutdown service' : `pod ${pod.name}`;
  const note = `${whom} could not be asked to shut down (attempt ${ask.attempts}): ${ask.lastError ?? ''}; tried again until ${c.deadline}`;
  return event('Warning', 'ShutdownCallFailed', note, s, pod === undefined ? [] : [pod]);
}

export function retriedOpenly(c: Conversation, s: Situation): PlannedEvent {
  const note = `${subjectOf(c, s)} has not said goodbye in time; it is asked again (round ${c.round}), until ${c.deadline}`;
  return event('Warning', 'ShutdownRetried', note, s, c.pods);
}

export function gaveUp(c: Conversation, s: Situation): PlannedEvent {
  const note =
    `${subjectOf(c, s)} has not said goodbye in ${c.round} rounds and is held until a person decides: ` +
    wayOut(s, ['retry', 'release']);
  return event('Warning', 'ShutdownGivenUp', note, s, c.pods);
}

const ENDED: Readonly<Record<Outcome, readonly [PlannedEvent['type'], string, string]>> = {
  confirmed: ['Normal', 'ShutdownConfirmed', 'has said goodbye and may go'],
  voluntary: ['Normal', 'ShutdownConfirmed', 'had said goodbye before anybody asked, and may go'],
  completed: ['Normal', 'ShutdownCompleted', 'has said that it is complete, and may go'],
  released: ['Warning', 'ShutdownReleased', 'was released by a person without a goodbye, and may go'],
  'timed-out': [
    'Warning',
    'ShutdownTimedOut',
    'has not said goodbye in time, and goes without, as its failure policy says',
  ],
  'pods-gone': ['Warning', 'ShutdownPodsGone', 'has nobody left who could say goodbye'],
  cancelled: ['Normal', 'ShutdownCancelled', 'stays: its shutdown was cancelled by a person'],
};

/** Its pods may have gone by now, and what Kubernetes has begun goes on. */
export function moveCancelled(c: Conversation, s: Situation): PlannedEvent {
  const stays = c.movedAt === undefined ? '' : `; the pod template keeps the node selector ${placeOf(c)}`;
  return event(
    'Normal',
    'MigrationCancelled',
    `Application ${s.app.metadata.name} is not moved any more${stays}`,
    s,
  );
}

function placeOf({ nodeSelector = {} }: Conversation): string {
  return Object.entries(nodeSelector)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

export function conversationEnded(c: Conversation, s: Situation): PlannedEvent {
  const [type, reason, what] = ENDED[c.outcome ?? 'confirmed'];
  return event(type, reason, `${subjectOf(c, s)} ${what}`, s, c.pods);
}

export function migrated(c: Conversation, s: Situation): PlannedEvent {
  const where = placeOf(c);
  const note = `Application ${s.app.metadata.name} has moved${where === '' ? '' : ` to ${where}`}`;
  return event('Normal', 'Migrated', note, s);
}

export function podRemoved(pod: ConversationPod, s: Situation): PlannedEvent {
  const how = isEvicted(pod) ? 'evicted' : 'deleted';
  return event('Normal', 'PodRemoved', `pod ${pod.name} is ${how} now, as was asked before its goodbye`, s, [
    pod,
  ]);
}

export function removalRefused(pod: ConversationPod, s: Situation): PlannedEvent {
  return event('Warning', 'PodRemovalRefused', explainRefusal(pod, s), s, [pod]);
}

/** Nothing that waits for a goodbye: somebody else keeps the pod. */
export function explainRefusal(pod: ConversationPod, s: Situation): string {
  const what = isEvicted(pod) ? 'eviction' : 'deletion';
  const isFinal = s.view.namespaceState === 'terminating' || s.asking.some(({ deleting }) => deleting);
  const way = isFinal ? '' : `; to call it off: ${wayOut(s, ['cancel'])}`;
  return `the ${what} of pod ${pod.name} is refused (${pod.removalError ?? ''}) and tried again every 5 s${way}`;
}

export function requestTaken(request: string, s: Situation): PlannedEvent {
  return event('Normal', 'RequestTaken', `the request "${request}" is carried out`, s);
}

export function requestRefused(request: string, why: string, s: Situation): PlannedEvent {
  return event('Warning', 'RequestRefused', `the request "${request}" cannot be carried out: ${why}`, s);
}

/** What a person can do about a hold, with and without our command. */
export function wayOut({ app }: Pick<Situation, 'app'>, requests: readonly string[]): string {
  const { name, namespace } = app.metadata;
  const ours = requests.map((request) => `krake-hooks ${request} ${name} -n ${namespace}`).join(' or ');
  return `${ours} (or kubectl -n ${namespace} annotate ${APPLICATIONS_IN_FULL} ${name} ${ANNOTATION_REQUEST}=${requests.at(-1) ?? ''})`;
}

export function subjectOf(c: Conversation, { app }: Pick<Situation, 'app'>): string {
  if (c.scope === 'application') return `Application ${app.metadata.name}`;
  const [first] = c.pods;
  if (c.pods.length === 1 && first !== undefined) return `pod ${first.name}`;
  return `${c.pods.length} pods of Application ${app.metadata.name}`;
}
