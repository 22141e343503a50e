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
export function mayGo(app: Application, podUid: string, createdAt: string | undefined): boolean {
  if (!app.spec.hooks.includes('shutdown') || isComplete(app, createdAt)) return true;
  return conversationsOf(app).some(
    (conversation) =>
      letsItsPodsGo(conversation) &&
      (letsAllPodsGo(conversation) || conversation.pods.some(({ uid }) => uid === podUid)),
  );
}

/** Where nothing follows from the signal, only pods that were there have said it. */
function isComplete({ spec, status }: Application, createdAt = ''): boolean {
  const signal = status?.signals?.complete;
  if (signal === undefined || !spec.hooks.includes('complete')) return false;
  return spec.completeAction !== 'none' || Date.parse(createdAt) <= Date.parse(signal.receivedAt);
}

/** It runs: there is something to save. */
export function isInhabited({ metadata, status }: RecordedObject): boolean {
  const { phase = 'Pending' } = (status ?? {}) as { readonly phase?: string };
  return metadata.deletionTimestamp === undefined && phase === 'Running';
}
