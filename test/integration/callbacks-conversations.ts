import { expect } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  waitUntilKnown,
  type ApplicationOptions,
  type CallbacksReplica,
  type CallbacksSetting,
  type ShutdownStatus,
} from './callbacks-setting.ts';

export type Conversation = ShutdownStatus['conversations'][number];
export const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

export function conversation(id: string, more: Partial<Conversation> = {}): Conversation {
  return {
    id,
    scope: 'pods',
    form: 'service',
    reason: 'deletion',
    startedAt: inSeconds(0),
    roundStartedAt: inSeconds(0),
    // Far away: the tables of a file are made when it is read, long before their last row is run.
    deadline: inSeconds(3_600),
    round: 1,
    needed: 1,
    pods: [],
    ...more,
  };
}
export const podAt = (address: string, name: string) => ({ uid: `uid-${name}`, name, address });
export const shutdownOf = (...conversations: Conversation[]): ShutdownStatus => ({
  sequence: conversations.length,
  going: {},
  conversations,
});
export const goodbye = { provenBy: 'token', receivedAt: expect.any(String) };

/** Makes an Application with these conversations and waits until all replicas know it; returns its token. */
export async function createTalking(
  setting: CallbacksSetting,
  replicas: readonly CallbacksReplica[],
  name: string,
  shutdown: ShutdownStatus,
  options: ApplicationOptions = {},
): Promise<string> {
  const token = await setting.createApplication(name, { hooks: ['complete', 'shutdown'], ...options });
  await setting.writeShutdown(name, shutdown);
  for (const each of replicas) {
    await waitUntilKnown(each, name, token);
    await waitFor('its conversations', () => {
      const shown = each.cache.get(NAMESPACE, name)?.shutdown;
      const isShown =
        shown?.sequence === shutdown.sequence && shown.conversations.length === shutdown.conversations.length;
      return Promise.resolve(isShown ? true : undefined);
    });
  }
  return token;
}
