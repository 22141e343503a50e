import type { GoodbyeSender } from './decide-goodbye.ts';
import type { KnownConversation, KnownPod } from './known-shutdown.ts';

/** `index`: its place in `status.shutdown.conversations`. */
export interface ListedConversation extends KnownConversation {
  readonly index: number;
}

/** `index`: its place in the conversation's pods. */
export interface ListedPod extends KnownPod {
  readonly index: number;
}

export interface PodPlace {
  readonly conversation: ListedConversation;
  readonly pod: ListedPod;
}

export type FoundPod =
  /** One pod, wherever it stands in these conversations. */
  | { readonly kind: 'found'; readonly places: readonly PodPlace[] }
  | { readonly kind: 'none' }
  /** Several pods have the address, as pods in the network of their node do. */
  | { readonly kind: 'ambiguous' };

/** Whose goodbye it is: the pod that the sender is proven to be, else the one that it names, else the one whose address it has. */
export function findPod(
  conversations: readonly ListedConversation[],
  { pod: named, address, proven }: Omit<GoodbyeSender, 'conversation'>,
): FoundPod {
  const isMeant = ({ uid, name, address: own }: KnownPod): boolean => {
    if (proven !== undefined) return uid === proven.uid;
    return named === undefined ? own !== undefined && own === address : uid === named || name === named;
  };
  const places = conversations.flatMap((conversation) =>
    conversation.pods.flatMap((pod, index) =>
      isMeant(pod) ? [{ conversation, pod: { ...pod, index } }] : [],
    ),
  );
  if (places.length === 0) return { kind: 'none' };
  return new Set(places.map(({ pod }) => pod.uid)).size === 1
    ? { kind: 'found', places }
    : { kind: 'ambiguous' };
}
