import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import type { ApplicationCredentials } from '../cluster/application-credentials.ts';
import type { HistoryEvent, PutEvent } from './history.ts';

/** What an application does when it is asked to shut down. Times from when it is asked. */
export interface Manners {
  /** Default 0. */
  readonly answerAfterMs?: number;
  /** Default 200. */
  readonly status?: number;
  /** When it says goodbye; undefined: never. */
  readonly goodbyeAfterMs: number | undefined;
  /** Instead of the goodbye it says that it is complete. */
  readonly isComplete?: boolean;
}

export interface FakeApplicationsOptions {
  /** Of the loopback network: the addresses of pods. */
  readonly addresses: readonly string[];
  readonly credentialsOf: (namespace: string, application: string) => Promise<ApplicationCredentials>;
  readonly record: (event: HistoryEvent) => void;
}

/** Pods that answer to the call that asks them to shut down: one HTTP server for each address, all on one port. */
export interface FakeApplications {
  readonly port: number;
  /** Which pod lives at the address from now on. */
  settle(address: string, pod: { readonly uid: string; readonly name: string }): void;
  behave(manners: Manners): void;
  /** The pod at this address says goodbye by itself, until it has been heard. */
  sayGoodbye(address: string, application: { namespace: string; name: string; url: string }): Promise<void>;
  /** Everybody falls silent: nothing is answered or sent that was still to come. */
  hush(): void;
  stop(): Promise<void>;
}

interface CallBody {
  readonly application: string;
  readonly namespace: string;
  readonly conversation: string;
  readonly round: number;
  readonly attempt: number;
  readonly deadline: string;
  readonly confirm: string;
}

const AGAIN_MS = 200;
const PUT_TIMEOUT_MS = 5_000;

export async function startFakeApplications(options: FakeApplicationsOptions): Promise<FakeApplications> {
  const { addresses, credentialsOf, record } = options;
  const pods = new Map<string, { readonly uid: string; readonly name: string }>();
  let manners: Manners = { goodbyeAfterMs: 0 };
  let silence = new AbortController();

  async function put(address: string, namespace: string, application: string, url: string): Promise<number> {
    const credentials = await credentialsOf(namespace, application);
    const sentAtMs = performance.now();
    const answer = await putJson(url, address, credentials).catch(() => ({ status: 0, text: '' }));
    const event: PutEvent = {
      kind: 'put',
      ...(url.endsWith('/complete') ? { isComplete: true } : {}),
      sentAtMs,
      atMs: performance.now(),
      namespace,
      application,
      pod: pods.get(address)?.uid,
      status: answer.status,
      ...(answer.status === 200
        ? { answer: JSON.parse(answer.text) as NonNullable<PutEvent['answer']> }
        : {}),
    };
    record(event);
    return answer.status;
  }

  /** Until it has been heard, as an application does that is serious about it. */
  async function goodbye(
    address: string,
    { namespace, application, confirm }: Pick<CallBody, 'namespace' | 'application' | 'confirm'>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      // Where its token cannot be read just now, it has not said anything.
      const status = await put(address, namespace, application, confirm).catch(() => 0);
      if (status !== 0 && status < 500 && status !== 429) return;
      await pause(AGAIN_MS, signal);
    }
  }

  async function answer(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const address = incoming.socket.localAddress ?? '';
    const call = JSON.parse(await text(incoming)) as CallBody;
    const { namespace, application, conversation, round, attempt, deadline } = call;
    // In the service form whoever gets the call answers for all.
    const isPodItself = new URL(`http://${incoming.headers.host ?? ''}`).hostname.endsWith('.pod');
    const pod = isPodItself ? pods.get(address)?.uid : undefined;
    record({
      kind: 'call',
      atMs: performance.now(),
      namespace,
      application,
      conversation,
      round,
      attempt,
      deadline,
      pod,
    });
    const { answerAfterMs = 0, status = 200, goodbyeAfterMs, isComplete = false } = manners;
    const confirm = isComplete ? call.confirm.replace(/shutdown$/, 'complete') : call.confirm;
    if (goodbyeAfterMs !== undefined)
      void pause(goodbyeAfterMs, signal).then(() => goodbye(address, { ...call, confirm }, signal));
    await pause(answerAfterMs, signal);
    outgoing.writeHead(status).end();
  }

  const servers: Server[] = [];
  let port = 0;
  for (const address of addresses) {
    const server = createServer((incoming, outgoing) => {
      answer(incoming, outgoing, silence.signal).catch(() => outgoing.destroy());
    });
    server.listen(port, address);
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
    port = (server.address() as AddressInfo).port;
    servers.push(server);
  }

  return {
    port,
    settle: (address, pod) => void pods.set(address, pod),
    behave: (next) => {
      manners = next;
    },
    sayGoodbye: (address, { namespace, name, url }) =>
      goodbye(address, { namespace, application: name, confirm: url }, silence.signal),
    hush() {
      silence.abort();
      silence = new AbortController();
    },
    async stop() {
      silence.abort();
      for (const server of servers) {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

function putJson(
  url: string,
  localAddress: string,
  { token, ...tls }: ApplicationCredentials,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PUT_TIMEOUT_MS);
    const options = { method: 'PUT', ...tls, localAddress, agent: false, signal };
    request(url, options, (response) => {
      text(response).then((content) => resolve({ status: response.statusCode ?? 0, text: content }), reject);
    })
      .on('error', reject)
      .end(JSON.stringify({ token }));
  });
}
