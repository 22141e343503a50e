import type { ProvenPod } from '../applications/index.ts';
import type { KnownApplication } from './application-lookup.ts';
import { findPod, type ListedConversation, type ListedPod } from './find-pod.ts';

/** What a PUT says of who says goodbye, beyond its token. */
export interface GoodbyeSender {
  /** Name or UID, from the body. */
  readonly pod: string | undefined;
  /** Id, from the body. */
  readonly conversation: string | undefined;
  /** Where the connection comes from; of a pod that is proven, its own. */
  readonly address: string | undefined;
  /** The pod that it is, by its identity; it counts before what the body names and where the connection comes from. */
  readonly proven?: ProvenPod;
}

export type GoodbyeRefusal =
  /** The body names another pod than the one that is proven. */
  | 'pod-of-another-name'
  /** pod form: it cannot be told whose goodbye this is. */
  | 'pod-unknown'
  /** The conversation that is named has ended otherwise, or there is none of that id. */
  | 'conversation-over'
  /** The shutdown was called off; the application goes on living. */
  | 'shutdown-cancelled'
  /** It comes after the deadline, or after a person's release: the pods went without it, and no others go on the strength of it. */
  | 'goodbye-too-late'
  /** There is no room for more goodbyes that nobody asked for. */
  | 'too-many-goodbyes';

/** A confirmation's place. `pod` undefined: the conversation's own (service form). */
export interface ConfirmationPlace {
  readonly conversation: ListedConversation;
  readonly pod: ListedPod | undefined;
}

export type GoodbyeDecision =
  | {
      readonly kind: 'confirm';
      /** More than one when a pod is asked in several conversations: it has said goodbye in all of them. */
      readonly places: readonly ConfirmationPlace[];
      /** It is this pod only as long as no other one is asked. */
      readonly guessed: boolean;
    }
  /** Nobody has asked. `key`: UID of the pod that is proven, else its address; undefined: service form. */
  | { readonly kind: 'volunteer'; readonly key: string | undefined }
  | {
      readonly kind: 'already';
      readonly receivedAt: string;
      readonly conversation?: string;
      readonly pod?: string;
    }
  | { readonly kind: 'refused'; readonly reason: GoodbyeRefusal };

export const MAX_VOLUNTEERED = 256;

type Known = Pick<KnownApplication, 'signals' | 'shutdown'>;

/**
 * What a proven goodbye means, as far as this state of the Application tells. Pure. Of what it says, `already` and `refused` hold only for a
 * live state: the cache may not know yet of a conversation that the application has been asked in.
 */
export function decideGoodbye(known: Known, sender: GoodbyeSender): GoodbyeDecision {
  const { pod: named, proven } = sender;
  if (proven !== undefined && named !== undefined && named !== proven.name && named !== proven.uid)
    return refused('pod-of-another-name');
  const listed = known.shutdown.conversations.map((conversation, index) => ({ ...conversation, index }));
  const open = listed.filter(({ outcome }) => outcome === undefined);
  const ended = listed.filter(({ outcome }) => outcome !== undefined);
  if (sender.conversation !== undefined) return answerNamed(sender.conversation, open, ended, sender);
  return answerOpen(open, ended, sender) ?? answerEnded(ended, sender) ?? volunteer(known, sender);
}

function answerNamed(
  id: string,
  open: readonly ListedConversation[],
  ended: readonly ListedConversation[],
  sender: GoodbyeSender,
): GoodbyeDecision {
  const named = open.find((conversation) => conversation.id === id);
  if (named !== undefined) return answerOpen([named], [], sender) ?? refused('pod-unknown');
  const over = ended.find((conversation) => conversation.id === id);
  const confirmed = over?.outcome === 'confirmed' || over?.outcome === 'voluntary';
  if (over === undefined || !confirmed) return refused('conversation-over');
  const found = findPod([over], sender);
  return found.kind === 'found' ? alreadyOf(over, found.places[0]) : alreadyOf(over);
}

function answerOpen(
  open: readonly ListedConversation[],
  ended: readonly ListedConversation[],
  sender: GoodbyeSender,
): GoodbyeDecision | undefined {
  const service = open.find(({ form }) => form === 'service');
  const ofPods = open.filter(({ form }) => form === 'pod');
  // While a service is asked, a goodbye is its own unless it names a pod.
  if (ofPods.length > 0 && (service === undefined || sender.pod !== undefined)) {
    const answer = answerOfPod(ofPods, ended, sender);
    if (service === undefined || answer?.kind !== 'refused') return answer;
  }
  if (service === undefined) return undefined;
  if (service.confirmedAt !== undefined) return alreadyOf(service);
  return { kind: 'confirm', places: [{ conversation: service, pod: undefined }], guessed: false };
}

function answerOfPod(
  ofPods: readonly ListedConversation[],
  ended: readonly ListedConversation[],
  sender: GoodbyeSender,
): GoodbyeDecision | undefined {
  const found = findPod(ofPods, sender);
  if (found.kind === 'found') return confirmOf(found.places);
  if (found.kind === 'ambiguous') return refused('pod-unknown');
  const before = findPod(ended, sender);
  if (before.kind === 'found') {
    const last = before.places.at(-1);
    if (last !== undefined && last.conversation.outcome !== 'cancelled')
      return answerOver(last.conversation, last);
  }
  // A pod that nobody has asked, and that is surely none of those that were, speaks for itself.
  if (sender.proven !== undefined) return undefined;
  if (sender.pod !== undefined) return refused('pod-unknown');

  const asked = ofPods.flatMap((conversation) =>
    conversation.pods.map((pod, index) => ({ conversation, pod: { ...pod, index } })),
  );
  const waiting = asked.filter(({ pod }) => pod.confirmedAt === undefined);
  if (new Set(waiting.map(({ pod }) => pod.uid)).size === 1)
    return { kind: 'confirm', places: waiting, guessed: true };
  const last = asked.at(-1);
  if (waiting.length > 0 || last === undefined) return refused('pod-unknown');
  return alreadyOf(last.conversation, last);
}

function confirmOf(places: readonly (ConfirmationPlace & { readonly pod: ListedPod })[]): GoodbyeDecision {
  const waiting = places.filter(({ pod }) => pod.confirmedAt === undefined);
  const [first] = places;
  if (waiting.length === 0 && first !== undefined) return alreadyOf(first.conversation, first);
  return { kind: 'confirm', places: waiting, guessed: false };
}

/** Nothing is open: a repeat, an answer that comes too late, or the first word of all. */
function answerEnded(
  ended: readonly ListedConversation[],
  sender: GoodbyeSender,
): GoodbyeDecision | undefined {
  const latest = ended.reduce<ListedConversation | undefined>(
    (one, other) => (one !== undefined && (one.endedAt ?? '') > (other.endedAt ?? '') ? one : other),
    undefined,
  );
  if (latest === undefined) return undefined;
  const found = findPod(ended, sender);
  const own = found.kind === 'found' ? found.places.at(-1) : undefined;
  const conversation = own?.conversation ?? latest;
  // Of the pod form only the pod that was asked has spoken before; who cannot be told from one whose shutdown was called off is not heard.
  const isOthers = conversation.form === 'pod' && own === undefined;
  if (isOthers && (conversation.outcome !== 'cancelled' || sender.proven !== undefined)) return undefined;
  return answerOver(conversation, own);
}

/** How a conversation ended of which this goodbye is a repeat, or for which it comes too late. */
function answerOver(
  conversation: ListedConversation,
  own: { readonly pod: ListedPod } | undefined,
): GoodbyeDecision {
  const { outcome, confirmedAt } = conversation;
  if (outcome === 'cancelled') return refused('shutdown-cancelled');
  const isUnheard = outcome === 'timed-out' || outcome === 'released';
  return isUnheard && (own?.pod.confirmedAt ?? confirmedAt) === undefined
    ? refused('goodbye-too-late')
    : alreadyOf(conversation, own);
}

function volunteer({ signals, shutdown }: Known, { address, proven }: GoodbyeSender): GoodbyeDecision {
  if (shutdown.form === 'service') {
    const stored = signals.shutdown;
    return stored === undefined
      ? { kind: 'volunteer', key: undefined }
      : { kind: 'already', receivedAt: stored.receivedAt };
  }
  // Pods in the network of their node share an address.
  const key = proven?.uid ?? address;
  if (key === undefined) return refused('pod-unknown');
  const receivedAt = shutdown.volunteered?.get(key);
  if (receivedAt !== undefined) return { kind: 'already', receivedAt };
  if ((shutdown.volunteered?.size ?? 0) >= MAX_VOLUNTEERED) return refused('too-many-goodbyes');
  return { kind: 'volunteer', key };
}

/** The same each time: of when the goodbye was stored, or, if it never was, of when the conversation ended. */
function alreadyOf(conversation: ListedConversation, place?: { readonly pod: ListedPod }): GoodbyeDecision {
  const { id, confirmedAt, endedAt, deadline } = conversation;
  const receivedAt = place?.pod.confirmedAt ?? confirmedAt ?? endedAt ?? deadline;
  const pod = place === undefined ? {} : { pod: place.pod.name };
  return { kind: 'already', receivedAt, conversation: id, ...pod };
}

function refused(reason: GoodbyeRefusal): GoodbyeDecision {
  return { kind: 'refused', reason };
}
