import type { Signal } from '../application.ts';
import type { Confirmation, Conversation } from '../conversation.ts';
import type { Draft, ShutdownSituation } from './draft.ts';
import type { LivePod } from './live-pod.ts';

type Signals = Readonly<Record<string, Signal>>;

/**
 * Gives a conversation the goodbyes that came by themselves, each for pods that were there when it came. Used or not, they are spent; so are those of
 * proven pods that are gone, which nobody else can use.
 */
export function useVoluntary(
  draft: Draft,
  s: Pick<ShutdownSituation, 'pods'>,
  conversation: Conversation,
  pods: readonly LivePod[],
): void {
  const { shutdown, shutdownFrom = {}, ...others } = draft.signals ?? {};
  if (conversation.form === 'service') {
    if (shutdown !== undefined && pods.every((pod) => wasThere(pod, shutdown)))
      conversation.confirmation = confirmationOf(shutdown);
    draft.signals = others;
    return;
  }
  const spent = new Set<string>();
  for (const pod of pods) {
    const entry = conversation.pods.find(({ uid }) => uid === pod.uid);
    // There was no room for it: it has the next one.
    if (entry === undefined) continue;
    const own = ownKeys(shutdownFrom, s.pods, pod);
    for (const key of own) spent.add(key);
    const signal = own.map((key) => shutdownFrom[key]).find((one) => one !== undefined && wasThere(pod, one));
    if (signal !== undefined) entry.confirmation = confirmationOf(signal);
  }
  const there = new Set(s.pods.map(({ uid }) => uid));
  const left = Object.fromEntries(
    Object.entries(shutdownFrom).filter(
      ([key, { pod }]) => !spent.has(key) && (pod === undefined || there.has(pod.uid)),
    ),
  );
  draft.signals = Object.keys(left).length > 0 ? { ...others, shutdownFrom: left } : others;
}

/**
 * Where the pod's own goodbye may stand: under its UID if it was proven which pod it is, else under its address. Under an address a proven one is that
 * pod's alone, and one that is not proven nobody's where several pods have it (those in the network of their node).
 */
function ownKeys(signals: Signals, all: readonly LivePod[], { uid, address }: LivePod): readonly string[] {
  const signal = address === undefined ? undefined : signals[address];
  if (address === undefined || signal === undefined) return [uid];
  const isOwn =
    signal.pod === undefined
      ? all.filter((pod) => pod.address === address && !pod.finished).length === 1
      : signal.pod.uid === uid;
  return isOwn ? [uid, address] : [uid];
}

function wasThere(pod: LivePod, { receivedAt }: Signal): boolean {
  return pod.createdAtMs <= Date.parse(receivedAt);
}

function confirmationOf({ receivedAt, provenBy, pod }: Signal): Confirmation {
  return { receivedAt, provenBy, ...(pod === undefined ? {} : { pod }) };
}
