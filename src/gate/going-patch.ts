import {
  MAX_CONVERSATION_PODS,
  type Application,
  type Conversation,
  type ConversationPod,
  type GoingPod,
} from '../applications/index.ts';
import { SHUTDOWN_CAUSES, type ShutdownCause } from '../contract/index.ts';

/** No more pods of one application wait to be taken up; whoever asks for another one is refused and comes back. */
export const MAX_GOING_PODS = MAX_CONVERSATION_PODS;

/** Why a pod is to go, and how. */
export type Wish = Pick<GoingPod, 'cause' | 'removal'>;

/** Its removal is remembered, for this cause or a stronger one: nothing needs to be stored. A deletion is carried out as one, not as an eviction. */
export function isRecorded({ status }: Application, podUid: string, wish: Wish): boolean {
  const { going = {}, conversations = [] } = status?.shutdown ?? {};
  const known = [
    Object.hasOwn(going, podUid) ? going[podUid] : undefined,
    ...conversations
      .filter(({ outcome }) => outcome === undefined)
      .map(({ pods }) => pods.find(({ uid }) => uid === podUid)),
  ];
  return known.some((other) => other !== undefined && covers(other, wish));
}

/** Whether what is known of a pod says no less than this wish. */
export function covers({ cause, removal }: Pick<ConversationPod, keyof Wish>, wish: Wish): boolean {
  if (cause === undefined || strengthOf(cause) < strengthOf(wish.cause)) return false;
  return cause !== wish.cause || wish.removal === undefined || wish.removal === removal;
}

/**
 * The conversation about the pod that a person has cancelled. Whoever evicts it or scales down comes again by himself: the controller takes none of
 * that up until the deadline that was cancelled, so there is nothing to store. A deletion is a new wish.
 */
export function cancelledFor(
  { status }: Application,
  podUid: string,
  cause: ShutdownCause,
): Conversation | undefined {
  if (cause === 'deletion') return undefined;
  const about = (status?.shutdown?.conversations ?? []).filter(({ pods }) =>
    pods.some(({ uid }) => uid === podUid),
  );
  if (about.some(({ outcome }) => outcome === undefined)) return undefined;
  return about.find(({ outcome, doneAt }) => outcome === 'cancelled' && doneAt === undefined);
}

/** The strongest stands first in the list. */
function strengthOf(cause: ShutdownCause): number {
  return -SHUTDOWN_CAUSES.indexOf(cause);
}

/** How many more pods may be stored. */
export function goingCapacity({ status }: Application): number {
  return Math.max(0, MAX_GOING_PODS - Object.keys(status?.shutdown?.going ?? {}).length);
}

/**
 * Stores the pods by UID under `status.shutdown.going`, and makes what is missing on the way there. It holds only for this life of the
 * Application, and never takes the place of a status that somebody else has made meanwhile: a test for null holds where the member is absent, so Kubernetes'
 * JSON Patch has it.
 */
export function buildGoingPatch(
  { metadata, status }: Application,
  pods: ReadonlyMap<string, GoingPod>,
): readonly unknown[] {
  const sameLife = { op: 'test', path: '/metadata/uid', value: metadata.uid };
  const entries = Object.fromEntries(pods);
  if (status?.shutdown !== undefined) {
    return [
      sameLife,
      ...Object.entries(entries).map(([uid, value]) => ({
        op: 'add',
        path: `/status/shutdown/going/${escapeSegment(uid)}`,
        value,
      })),
    ];
  }
  const shutdown = { sequence: 0, going: entries, conversations: [] };
  const [path, value] =
    status === undefined ? ['/status', { shutdown }] : (['/status/shutdown', shutdown] as const);
  return [sameLife, { op: 'test', path, value: null }, { op: 'add', path, value }];
}

/** A key as a segment of a JSON Pointer (RFC 6901). */
function escapeSegment(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
