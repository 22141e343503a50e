import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findLastingPort } from '../cluster/free-port.ts';

export interface Received {
  readonly path: string;
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** `performance.now()` when its head had come. */
  readonly at: number;
}

/** Answers a request, at once or later, or not at all. */
export type Behaviour = (response: ServerResponse, received: Received) => void;

/** A real HTTP server on loopback that notes what it gets. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  behave(behaviour: Behaviour): void;
  /** Ids that came, each with how often. */
  ids(): ReadonlyMap<string, number>;
  /** Refuses connections until `up()`, on the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

export const ok: Behaviour = (response) => void response.writeHead(200).end('ok');
export const answerWith =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end('no');
export const hang: Behaviour = () => undefined;

export async function startReceiver(behaviour: Behaviour = ok, port = 0): Promise<Receiver> {
  const received: Received[] = [];
  let behave = behaviour;
  const server = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const entry: Received = {
        path: request.url ?? '',
        id: String(request.headers['webhook-id'] ?? ''),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        at,
      };
      received.push(entry);
      behave(response, entry);
    });
  });
  const listen = (on: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(on, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(port === 0 ? await findLastingPort() : port);
  const chosen = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${chosen}`,
    port: chosen,
    received,
    behave(next) {
      behave = next;
    },
    ids() {
      const counts = new Map<string, number>();
      for (const { id } of received) counts.set(id, (counts.get(id) ?? 0) + 1);
      return counts;
    },
    down: close,
    up: () => listen(chosen),
    stop: () => (server.listening ? close() : Promise.resolve()),
  };
}
