import type { ApplicationStatus, Signal } from '../application.ts';
import { letsGo, type ShutdownStatus } from '../conversation.ts';
import type { LabelledPod } from '../labelled-pod.ts';
import { NO_CONVERSATION } from './draft.ts';

/** Of a former life's conversations those that let pods go which are still there; they speak of no pod of the new one. */
export function shutdownCarriedOver(
  { shutdown = NO_CONVERSATION }: Pick<ApplicationStatus, 'shutdown'>,
  pods: readonly LabelledPod[],
): ShutdownStatus {
  const present = new Set(pods.map(({ uid }) => uid));
  const conversations = shutdown.conversations
    .filter((conversation) => letsGo(conversation) && conversation.pods.some(({ uid }) => present.has(uid)))
    .map((conversation) => ({ ...conversation, scope: 'pods' as const }));
  return { sequence: shutdown.sequence, going: shutdown.going, conversations };
}

type Goodbyes = Pick<NonNullable<ApplicationStatus['signals']>, 'shutdown' | 'shutdownFrom'>;

/** Goodbyes that nobody has asked for, as long as a pod is there that can have said them: those that came later have not. */
export function goodbyesInForce(
  { shutdown, shutdownFrom = {} }: Goodbyes,
  pods: readonly LabelledPod[],
): Goodbyes {
  const speaks = ({ receivedAt }: Signal) =>
    pods.some((pod) => !pod.deleting && pod.createdAtMs <= Date.parse(receivedAt));
  const from = Object.fromEntries(Object.entries(shutdownFrom).filter(([, signal]) => speaks(signal)));
  return {
    ...(shutdown !== undefined && speaks(shutdown) ? { shutdown } : {}),
    ...(Object.keys(from).length > 0 ? { shutdownFrom: from } : {}),
  };
}
