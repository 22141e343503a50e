import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { secretName } from '../../src/contract/index.ts';
import type { FullKubeClient, KubeObject } from '../../src/kube/index.ts';

/** What one application does when it is asked to shut down. */
export interface Manners {
  /** From the call to its goodbye. */
  readonly goodbyeAfterMs: number;
  /** The call is answered after the goodbye, as a service does that works first; else at once. */
  readonly answersLate: boolean;
}

/** What came of one call, on the clock of performance.now. */
export interface Conversation {
  readonly application: string;
  readonly id: string;
  readonly attempt: number;
  readonly deadline: string;
  readonly pod: string | undefined;
  readonly askedAtMs: number;
  /** Of the callbacks; undefined: it has not been said yet. */
  goodbye: { readonly sentAtMs: number; readonly answeredAtMs: number; readonly status: number } | undefined;
}

/** The shutdown services of many applications behind one port of loopback; they say goodbye as they are told in the call. */
export interface GoodbyeServer {
  readonly port: number;
  /** All calls, in the order in which they came. */
  readonly conversations: readonly Conversation[];
  /** Reads the tokens of all applications of the namespace; to be called before anybody is asked. */
  learnTokens(namespace: string): Promise<void>;
  stop(): Promise<void>;
}

interface CallBody {
  readonly application: string;
  readonly conversation: string;
  readonly attempt: number;
  readonly deadline: string;
  readonly confirm: string;
  readonly pods: readonly { readonly uid: string }[];
}

type SecretObject = KubeObject & { readonly data?: Readonly<Record<string, string>> };

const PUTS_AT_ONCE = 32;

export async function startGoodbyeServer(
  client: FullKubeClient,
  mannersOf: (application: string) => Manners,
): Promise<GoodbyeServer> {
  const conversations: Conversation[] = [];
  const tokens = new Map<string, string>();
  const ended = new AbortController();
  let agent: Agent | undefined;

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const call = JSON.parse(await text(incoming)) as CallBody;
    const { application, attempt, deadline } = call;
    const [pod] = call.pods;
    const conversation: Conversation = {
      ...{ application, id: call.conversation, attempt, deadline, pod: pod?.uid },
      askedAtMs: performance.now(),
      goodbye: undefined,
    };
    conversations.push(conversation);
    const manners = mannersOf(application);
    if (!manners.answersLate) outgoing.writeHead(200).end('<html><body>ok</body></html>');
    await sleep(manners.goodbyeAfterMs, undefined, { signal: ended.signal });
    const token = tokens.get(secretName(application));
    if (agent === undefined || token === undefined) throw new Error(`no token of ${application} was learnt`);
    const sentAtMs = performance.now();
    const body = JSON.stringify({ token, pod: pod?.uid });
    const status = await put(agent, call.confirm, body);
    conversation.goodbye = { sentAtMs, answeredAtMs: performance.now(), status };
    if (manners.answersLate) outgoing.writeHead(200).end('<html><body>saved</body></html>');
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));

  return {
    port: (server.address() as AddressInfo).port,
    conversations,
    async learnTokens(namespace) {
      const resource = { apiVersion: 'v1', plural: 'secrets' };
      const { items } = await client.list<SecretObject>(resource, namespace, { timeoutMs: 60_000 });
      const read = (secret: SecretObject, key: string) =>
        Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
      for (const secret of items) tokens.set(secret.metadata.name ?? '', read(secret, 'token'));
      const [one] = items.filter((secret) => secret.data?.['ca-bundle.pem'] !== undefined);
      if (one === undefined) throw new Error(`there is no application in ${namespace}`);
      agent?.destroy();
      agent = new Agent({ keepAlive: true, maxSockets: PUTS_AT_ONCE, ca: read(one, 'ca-bundle.pem') });
    },
    async stop() {
      ended.abort();
      agent?.destroy();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function put(agent: Agent, url: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const outgoing = request(url, { method: 'PUT', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject).end(body);
  });
}
