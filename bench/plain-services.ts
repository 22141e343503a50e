import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from './send.ts';
import type { Asked } from './shutdown-crowd.ts';

/** The applications' side of the floor: what goodbye-server.ts does, without tokens, certificates and TLS. */
export interface PlainServices {
  readonly url: string;
  readonly conversations: readonly Asked[];
  stop(): Promise<void>;
}

interface CallBody {
  readonly application: string;
  readonly confirm: string;
}

const PUTS_AT_ONCE = 32;

export async function startPlainServices(
  goodbyeAfterMs: (application: string) => number,
): Promise<PlainServices> {
  const conversations: Asked[] = [];
  const ended = new AbortController();
  const agent = new Agent({ keepAlive: true, maxSockets: PUTS_AT_ONCE });

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { application, confirm } = (await json(incoming)) as CallBody;
    const conversation: Asked = { application, askedAtMs: performance.now(), goodbye: undefined };
    conversations.push(conversation);
    outgoing.writeHead(200).end();
    await sleep(goodbyeAfterMs(application), undefined, { signal: ended.signal });
    await send(confirm, { method: 'PUT', agent });
    conversation.goodbye = { answeredAtMs: performance.now() };
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/shutdown`,
    conversations,
    async stop() {
      ended.abort();
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
