import { MAX_CONVERSATION_PODS, type Application, type GoingPod } from '../applications/index.ts';

/** No more pods of one application wait to be taken up; whoever asks for another one is refused and comes back. */
export const MAX_GOING_PODS = MAX_CONVERSATION_PODS;

/** Its removal is remembered: nothing needs to be stored. */
export function isRecorded({ status }: Application, podUid: string): boolean {
  const { going = {}, conversations = [] } = status?.shutdown ?? {};
  return (
    Object.hasOwn(going, podUid) ||
    conversations.some(
      ({ outcome, pods }) =>
        outcome === undefined && pods.some((pod) => pod.uid === podUid && pod.cause !== undefined),
    )
  );
}

/** How many more pods may be stored. */
export function goingCapacity({ status }: Application): number {
  return Math.max(0, MAX_GOING_PODS - Object.keys(status?.shutdown?.going ?? {}).length);
}

/**
 * Stores the pods by UID under `status.shutdown.going`, and makes what is missing on the way there. It holds only for this life of the
 * Application, and never takes the place of what somebody else has made meanwhile: a test for null holds where the member is absent, so Kubernetes'
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
