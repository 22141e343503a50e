import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Credentials } from './credentials.ts';
import { KubeUnreachableError } from './kube-unreachable-error.ts';

/** One HTTP request, ready to be sent. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, below the server's own path prefix. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer begins, or for `readAnswer` until it is whole. */
  readonly timeoutMs: number;
  /**
   * The body is sent only when this resolves. It is called once the server has asked for the body (`Expect: 100-continue`), which the API server
   * does after it has authenticated and authorised the request.
   */
  readonly beforeBody?: (() => Promise<void>) | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A GET that met a connection which the server was just closing is sent again, so often at most. */
const MAX_STALE_CONNECTIONS = 3;
/** A proxy may keep the `100 Continue` to itself; then the body is sent all the same (RFC 9110, 10.1.1). Longer than a busy API server stands still. */
const LONGEST_WAIT_FOR_CONTINUE_MS = 5_000;

/** Sends and resolves with the whole answer, whatever its status. Rejects with a KubeUnreachableError. */
export async function readAnswer(
  credentials: Credentials,
  agent: Agent,
  request: HttpRequest,
): Promise<HttpAnswer> {
  return await withinLimit(request, async (signal) =>
    readBody(await begin(credentials, agent, request, signal)),
  );
}

/**
 * Sends and resolves as soon as a success begins: its body is the caller's to read or destroy, only the request's signal ends it.
 * Any other answer is read whole. Rejects with a KubeUnreachableError.
 */
export async function openAnswer(
  credentials: Credentials,
  agent: Agent,
  request: HttpRequest,
): Promise<IncomingMessage | HttpAnswer> {
  return await withinLimit(request, async (limited) => {
    const response = await begin(credentials, agent, request, limited);
    if (response.statusCode !== 200) return await readBody(response);
    const { signal } = request;
    const abort = () => response.destroy(asError(signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
    response.once('close', () => signal?.removeEventListener('abort', abort));
    return response;
  });
}

async function readBody(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** The error that says that there was no answer, with what went wrong as its cause. */
export function unreachable({ method, path }: Pick<HttpRequest, 'method' | 'path'>, cause: unknown): Error {
  if (cause instanceof KubeUnreachableError) return cause;
  const [resource] = path.split('?', 1);
  return new KubeUnreachableError(
    `${method} ${resource}: no answer from the API server: ${asError(cause).message}`,
    {
      cause,
    },
  );
}

async function begin(
  credentials: Credentials,
  agent: Agent,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(credentials, agent, request, signal);
    } catch (error) {
      const again = error instanceof StaleConnectionError && request.method === 'GET';
      if (!again || attempt >= MAX_STALE_CONNECTIONS || signal.aborted) throw error;
    }
  }
}

function sendOnce(
  { server, headers }: Credentials,
  agent: Agent,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = server.protocol === 'http:' ? httpRequest : httpsRequest;
    const outgoing = send({
      agent,
      // Brackets of an IPv6 address belong to the URL only.
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? undefined : server.port,
      method: request.method,
      path: `${server.pathname.replace(/\/+$/, '')}${request.path}`,
      headers: {
        ...headers,
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
        ...(request.beforeBody === undefined ? {} : { expect: '100-continue' }),
      },
    });
    const abort = () => outgoing.destroy(asError(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    outgoing.once('close', () => signal.removeEventListener('abort', abort));
    outgoing.on('response', resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(stale ? new StaleConnectionError(error.message, { cause: error }) : error);
    });
    if (signal.aborted) abort();
    const { beforeBody, body } = request;
    if (beforeBody === undefined) {
      outgoing.end(body);
      return;
    }
    const proceed = () => {
      clearTimeout(timer);
      outgoing.off('continue', proceed);
      void beforeBody().then(
        () => outgoing.end(body),
        (error: unknown) => outgoing.destroy(asError(error)),
      );
    };
    const timer = setTimeout(proceed, LONGEST_WAIT_FOR_CONTINUE_MS);
    outgoing.once('continue', proceed);
    outgoing.once('response', () => clearTimeout(timer));
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.flushHeaders();
  });
}

class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError';
}

/** Gives the exchange a signal that is aborted with the caller's or when the time is over; no timer or listener outlives it. */
async function withinLimit<R>(
  request: HttpRequest,
  exchange: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const { signal, timeoutMs } = request;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs);
  const abort = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await exchange(controller.signal);
  } catch (error) {
    throw unreachable(request, controller.signal.aborted ? controller.signal.reason : error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
