import type { Socket } from 'node:net';
import type { Client, Dispatcher } from 'undici';
import type { CallTarget } from './call-target.ts';
import { exchangeFailure } from './failure-of.ts';
import { KEPT_HEADERS, type Answered, type OutboundCall } from './outbound-caller.ts';
import { MAX_TIMER_MS } from './time-limit.ts';

export type Exchanged = Omit<Answered, 'kind' | 'durationMs'>;

const MAX_HEAD_BYTES = 16_384;
const MAX_KEPT_HEADER_LENGTH = 256;
const DEFAULT_BODY_TIMEOUT_MS = 5_000;

/**
 * Sends one request on a connection and reads the answer: its head, then so much of the body as is wanted and comes in time. The
 * connection is closed in any case. When the signal is aborted before the head, rejects with its reason; afterwards the body is cut there.
 *
 * @param headers all but those that HTTP itself needs
 * @throws CallError
 */
export async function exchange(
  ClientOf: typeof Client,
  socket: Socket,
  target: CallTarget,
  call: OutboundCall,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Exchanged> {
  const client = new ClientOf(target.origin, {
    // Later, since undici takes no connection while it is still asking for one.
    connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
    maxHeaderSize: MAX_HEAD_BYTES,
    // The time limits are the caller's: exact, and of the whole.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
  const answer = collectAnswer(target, call, signal);
  try {
    client.dispatch(
      {
        path: target.path,
        method: call.method,
        headers: { ...headers },
        body: call.body ?? null,
        reset: true,
      },
      answer.handler,
    );
    return await answer.exchanged;
  } finally {
    // Not awaited: it needs no more than a turn, and the socket is destroyed at once.
    void client.destroy().catch(() => undefined);
    socket.destroy();
  }
}

interface AnswerCollector {
  readonly handler: Dispatcher.DispatchHandler;
  readonly exchanged: Promise<Exchanged>;
}

function collectAnswer(target: CallTarget, call: OutboundCall, signal: AbortSignal): AnswerCollector {
  const { promise, resolve, reject } = Promise.withResolvers<Exchanged>();
  const { bodyTimeoutMs = DEFAULT_BODY_TIMEOUT_MS } = call;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let head: Pick<Exchanged, 'status' | 'headers'> | undefined;
  let bodyTimer: NodeJS.Timeout | undefined;

  const finish = (truncated: boolean): void => {
    clearTimeout(bodyTimer);
    signal.removeEventListener('abort', onAbort);
    if (head !== undefined) resolve({ ...head, body: textOf(chunks, call.maxAnswerBytes), truncated });
  };
  const fail = (error: unknown): void => {
    if (head !== undefined) finish(true);
    else reject(error);
  };
  const onAbort = (): void => fail(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });

  return {
    exchanged: promise,
    handler: {
      onRequestStart: () => undefined,
      onResponseStart(_controller, status, headers) {
        if (status < 200) return;
        head = { status, headers: keptHeaders(headers) };
        if (call.maxAnswerBytes === 0) finish(true);
        else bodyTimer = setTimeout(() => finish(true), Math.min(bodyTimeoutMs, MAX_TIMER_MS));
      },
      onResponseData(_controller, chunk) {
        if (bytes <= call.maxAnswerBytes) chunks.push(Buffer.from(chunk));
        bytes += chunk.length;
        if (bytes > call.maxAnswerBytes) finish(true);
      },
      onResponseEnd: () => finish(false),
      onResponseError: (_controller, error) => fail(exchangeFailure(error, target)),
    },
  };
}

type IncomingHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

function keptHeaders(headers: IncomingHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = [headers[name]].flat()[0];
    if (value !== undefined) kept[name] = value.slice(0, MAX_KEPT_HEADER_LENGTH);
  }
  return kept;
}

/** A character that is cut at the end is left out. */
function textOf(chunks: readonly Buffer[], maxBytes: number): string {
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes), { stream: true });
}
