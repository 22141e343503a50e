import type { IncomingMessage } from 'node:http';
import { unreachable } from './http-exchange.ts';
import type { KubeObject, WatchEvent } from './kube-client.ts';
import { toWatchError, type AskedFor } from './status-error.ts';

/** The events of a watch's answer, one JSON object a line. See WatchClient.watch for how it ends. */
export async function* readWatchEvents<T extends KubeObject>(
  response: IncomingMessage,
  idleTimeoutMs: number,
  asked: AskedFor & { readonly method: 'GET' },
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const idle = setTimeout(
    () => response.destroy(new Error(`the watch was silent for ${idleTimeoutMs} ms`)),
    idleTimeoutMs,
  );
  const lines = createLineSplitter();
  try {
    response.setEncoding('utf8');
    for await (const chunk of response) {
      idle.refresh();
      for (const line of lines.push(chunk as string)) yield parseEvent<T>(line, asked);
    }
  } catch (error) {
    throw unreachable(asked, error);
  } finally {
    clearTimeout(idle);
    response.destroy();
  }
}

/** Cuts text that comes in pieces into lines. Each piece is searched once, however long the line grows. */
export function createLineSplitter(): { push(piece: string): string[] } {
  let begun: string[] = [];
  return {
    push: (piece) => {
      const [first = '', ...rest] = piece.split('\n');
      begun.push(first);
      const last = rest.pop();
      if (last === undefined) return [];
      const lines = [begun.join(''), ...rest];
      begun = [last];
      return lines.filter((line) => line !== '');
    },
  };
}

function parseEvent<T extends KubeObject>(line: string, asked: AskedFor): WatchEvent<T> {
  // The API server is trusted for the shape of its own protocol; projections check what they read of the object.
  const event = JSON.parse(line) as { type: string; object: T };
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type: event.type, object: event.object };
    case 'ERROR':
      return { type: 'ERROR', error: toWatchError(asked, event.object) };
    default:
      throw new Error(`the watch brought an event of unknown type "${event.type.slice(0, 32)}"`);
  }
}
