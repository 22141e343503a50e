import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { secretName } from '../../src/contract/index.ts';
import type { FullKubeClient, KubeObject } from '../../src/kube/index.ts';
import { credentialsIn, type ApplicationCredentials } from '../cluster/application-credentials.ts';

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
  /** Reads tokens and certificates of all applications of the namespace; to be called before anybody is asked. */
  learnCredentials(namespace: string): Promise<void>;
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
  const credentials = new Map<string, ApplicationCredentials>();
  const ended = new AbortController();
  // Each application has a certificate, and so a connection, of its own; kept alive, it would hold its place and serve no other.
  const agent = new Agent({ keepAlive: false, maxTotalSockets: PUTS_AT_ONCE });

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
    const known = credentials.get(secretName(application));
    if (known === undefined) throw new Error(`no token of ${application} was learnt`);
    const { token, ...tls } = known;
    const sentAtMs = performance.now();
    const body = JSON.stringify({ token, pod: pod?.uid });
    const status = await putUntilTaken(() => put(call.confirm, { agent, ...tls }, body), ended.signal);
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
    async learnCredentials(namespace) {
      const resource = { apiVersion: 'v1', plural: 'secrets' };
      const { items } = await client.list<SecretObject>(resource, namespace, { timeoutMs: 60_000 });
      for (const secret of items) credentials.set(secret.metadata.name ?? '', credentialsIn(secret));
    },
    async stop() {
      ended.abort();
      agent.destroy();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Says it again when it was not answered, or with 429 or 503, as the contract wants it of applications. */
async function putUntilTaken(once: () => Promise<number>, signal: AbortSignal): Promise<number> {
  for (;;) {
    const status = await once().catch(() => undefined);
    if (status !== undefined && status !== 429 && status !== 503) return status;
    await sleep(2_000, undefined, { signal });
  }
}

function put(url: string, options: RequestOptions, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': Buffer.byteLength(body) };
    const outgoing = request(url, { method: 'PUT', ...options, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject).end(body);
  });
}
