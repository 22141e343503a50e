import { IncomingMessage } from 'node:http';
import { createAgents } from './agents.ts';
import type { Clock } from './clock.ts';
import { pause } from './clock.ts';
import { createCredentialCache, type Credentials, type CredentialSource } from './credentials.ts';
import { openAnswer, readAnswer, unreachable, type HttpAnswer, type HttpRequest } from './http-exchange.ts';
import type { RequestOptions } from './kube-client.ts';
import { createRateLimit } from './rate-limit.ts';
import { toApiError } from './status-error.ts';
import { readWarnings } from './warning-header.ts';

export interface RestRequest extends Pick<RequestOptions, 'signal' | 'timeoutMs' | 'urgent' | 'onWarning'> {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: unknown;
  /** See HttpRequest. */
  readonly beforeBody?: () => Promise<void>;
}

/** Requests with credentials, time limit and rate limit; answers that are no success become errors. */
export interface RestClient {
  /** The parsed JSON of a success. */
  send(request: RestRequest): Promise<unknown>;
  /** The body of a success while it comes in. */
  open(request: RestRequest): Promise<IncomingMessage>;
  close(): void;
}

export interface RestClientOptions {
  readonly userAgent: string;
  readonly requestTimeoutMs: number;
  readonly requestsPerSecond: number | undefined;
}

export function createRestClient(
  source: CredentialSource,
  clock: Clock,
  options: RestClientOptions,
): RestClient {
  const credentials = createCredentialCache(source, () => clock.monotonic());
  const agents = createAgents();
  const limit =
    options.requestsPerSecond === undefined
      ? undefined
      : createRateLimit(options.requestsPerSecond, () => clock.monotonic());

  const waitForPlace = async (request: RestRequest): Promise<void> => {
    const delayMs = limit === undefined || request.urgent === true ? 0 : limit.reserve();
    if (delayMs <= 0) return;
    const signal = request.signal ?? new AbortController().signal;
    await pause(clock, delayMs, signal);
    if (!signal.aborted) return;
    limit?.giveBack();
    throw unreachable(request, signal.reason);
  };

  const prepare = ({
    method,
    path,
    accept,
    contentType,
    body,
    signal,
    timeoutMs,
    beforeBody,
  }: RestRequest): HttpRequest => ({
    method,
    path,
    headers: {
      accept: accept ?? 'application/json',
      'user-agent': options.userAgent,
      ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
    timeoutMs: timeoutMs ?? options.requestTimeoutMs,
    beforeBody,
  });

  // A 401 may only mean that a token has been replaced: read it anew and ask once more. Nothing was carried out, so this is safe for every verb.
  const authorized = async <A extends HttpAnswer | IncomingMessage>(
    request: RestRequest,
    exchange: (credentials: Credentials) => Promise<A>,
  ): Promise<A> => {
    await waitForPlace(request);
    const known = await readCredentials(request, () => credentials.current());
    try {
      const first = await exchange(known);
      if (statusOf(first) !== 401) return first;
      const renewed = await readCredentials(request, () => credentials.renewed());
      return renewed === undefined ? first : await exchange(renewed);
    } catch (error) {
      if (request.signal?.aborted !== true) agents.dropIdle();
      throw error;
    }
  };

  return {
    send: async (request) => {
      const prepared = prepare(request);
      const answer = await authorized(request, (c) => readAnswer(c, agents.forRequests(c), prepared));
      if (request.onWarning !== undefined) readWarnings(answer.headers.warning).forEach(request.onWarning);
      if (answer.status < 200 || answer.status > 299) {
        throw toApiError(request, answer.status, answer.headers, answer.body);
      }
      return parse(request, answer.body);
    },
    open: async (request) => {
      const prepared = prepare(request);
      const answer = await authorized(request, (c) => openAnswer(c, agents.forWatches(c), prepared));
      if (answer instanceof IncomingMessage) {
        answer.once('error', () => agents.dropIdle());
        return answer;
      }
      throw toApiError(request, answer.status, answer.headers, answer.body);
    },
    close: () => agents.close(),
  };
}

function statusOf(answer: HttpAnswer | IncomingMessage): number | undefined {
  return answer instanceof IncomingMessage ? answer.statusCode : answer.status;
}

/** Credentials that cannot be read (no kubeconfig, an exec plugin that fails) leave the API server as unreachable as no network. */
async function readCredentials<C>(request: RestRequest, read: () => Promise<C>): Promise<C> {
  try {
    return await read();
  } catch (error) {
    throw unreachable(request, error);
  }
}

function parse(request: RestRequest, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The parser's message repeats the text, which may be a Secret's.
    throw unreachable(request, new Error('the answer is no JSON'));
  }
}
