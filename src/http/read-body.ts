import type { IncomingMessage } from 'node:http';

export type BodyResult =
  | { readonly kind: 'body'; readonly body: Buffer }
  /** More than the limit, announced or sent. What is left of it is unread: answer with `sendProblemAndClose`. */
  | { readonly kind: 'tooLarge' }
  | { readonly kind: 'timedOut' }
  /** The caller has gone, or the signal was aborted: nobody waits for an answer. */
  | { readonly kind: 'aborted' };

export interface ReadBodyOptions {
  readonly limitBytes: number;
  /** For the whole body; without it only the listener's own time limit holds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * The whole body, with Content-Length or chunked, as it came (no content coding is undone). Never rejects and never holds more
 * than the limit and one chunk. To be called once a request.
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<BodyResult> {
  const { limitBytes, timeoutMs, signal } = options;
  if (Number(request.headers['content-length'] ?? 0) > limitBytes)
    return Promise.resolve({ kind: 'tooLarge' });
  if (request.destroyed || signal?.aborted === true) return Promise.resolve({ kind: 'aborted' });

  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let timer: NodeJS.Timeout | undefined;

    const settle = (result: BodyResult) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onAborted);
      signal?.removeEventListener('abort', onAborted);
      if (result.kind !== 'body') request.pause();
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limitBytes) settle({ kind: 'tooLarge' });
      else chunks.push(chunk);
    };
    const onEnd = () => {
      const [first] = chunks;
      settle({
        kind: 'body',
        body: first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, length),
      });
    };
    const onAborted = () => settle({ kind: 'aborted' });

    // Stays on after the end: a connection that breaks later still reports it here, and unheard it would end the process.
    request.on('error', onAborted);
    request.on('data', onData).on('end', onEnd).on('close', onAborted);
    signal?.addEventListener('abort', onAborted, { once: true });
    if (timeoutMs !== undefined) timer = setTimeout(() => settle({ kind: 'timedOut' }), timeoutMs);
  });
}
