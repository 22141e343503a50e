import type { Application } from '../../src/applications/index.ts';
import type { Conversation, RecordedObject } from './history.ts';
import { conversationsOf } from './world.ts';

// Written anew, and not taken from what is being checked.

const ENDS_THAT_LET_GO = ['confirmed', 'voluntary', 'completed', 'released', 'timed-out', 'pods-gone'];

export function goodbyesOf(conversation: Conversation): number {
  const { form, confirmation, pods } = conversation;
  if (form === 'service') return confirmation === undefined ? 0 : 1;
  return pods.filter((pod) => pod.confirmation !== undefined).length;
}

export function letsItsPodsGo(conversation: Conversation): boolean {
  const { outcome, needed } = conversation;
  return outcome === undefined ? goodbyesOf(conversation) >= needed : ENDS_THAT_LET_GO.includes(outcome);
}

/** Also those that it does not name: one goodbye was for all, or no goodbye is asked for any more. */
function letsAllPodsGo({ scope, form, outcome = 'confirmed' }: Conversation): boolean {
  const isOfEachPod = form === 'pod' && ['confirmed', 'voluntary', 'pods-gone'].includes(outcome);
  return scope === 'application' && !isOfEachPod;
}

/** Whether nothing holds this pod of the application. */
export function mayGo(app: Application, podUid: string): boolean {
  if (!app.spec.hooks.includes('shutdown') || app.status?.signals?.complete !== undefined) return true;
  return conversationsOf(app).some(
    (conversation) =>
      letsItsPodsGo(conversation) &&
      (letsAllPodsGo(conversation) || conversation.pods.some(({ uid }) => uid === podUid)),
  );
}

/** It runs: there is something to save. */
export function isInhabited({ metadata, status }: RecordedObject): boolean {
  const { phase = 'Pending' } = (status ?? {}) as { readonly phase?: string };
  return metadata.deletionTimestamp === undefined && phase === 'Running';
}
