import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type Refusal = 'too-many' | 'too-many-from-address';

export interface ConnectionsOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** What is known of a listener's open connections and the requests on them. */
export interface Connections {
  /** To be called with each accepted TCP connection. A refused one is the caller's to destroy. */
  accept(socket: Socket): Refusal | undefined;
  /** To be called when requests can come on it: at once, or after the TLS handshake. */
  open(socket: Socket): void;
  /** To be called with each request's response, before its handler. */
  began(socket: Socket, response: ServerResponse): void;
  /** The responses under way on this connection. */
  underWay(socket: Socket): readonly ServerResponse[];
  /** From now on every answer says `Connection: close` and ends its connection. */
  drain(): void;
  closeIdle(): void;
  destroyAll(): void;
  count(): number;
  /** Resolves when there is none, at once or later. */
  none(): Promise<void>;
}

/**
 * When there is no room for a new connection, the one that has kept us waiting the longest makes some: in a TLS handshake, idle, or with a request
 * that is not whole yet. One order for all of them, so that whoever just came, and is about to send, is never the first. A request
 * that is whole is not cut for it, unless its sender has begun another one behind it.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const accepted = new Set<Socket>();
  const perAddress = new Map<string, number>();
  const responses = new Map<Socket, Set<ServerResponse>>();
  /** Accepted, with no request possible yet: in a TLS handshake. By peer, since a TLS socket does not tell its TCP socket. */
  const opening = new Map<string, Socket>();
  const idle = new Set<Socket>();
  /** The latest request under way on a connection; those before it are whole. */
  const latest = new Map<Socket, IncomingMessage>();
  /** What is to come is the client's to send, in the order since when. One whose request has become whole may still be among them. */
  const awaited = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let draining = false;

  function forget(socket: Socket, address: string, peer: string): void {
    accepted.delete(socket);
    if (opening.get(peer) === socket) opening.delete(peer);
    awaited.delete(socket);
    const left = (perAddress.get(address) ?? 1) - 1;
    if (left > 0) perAddress.set(address, left);
    else perAddress.delete(address);
    if (accepted.size === 0) for (const resolve of waiting.splice(0)) resolve();
  }

  function becameIdle(socket: Socket): void {
    latest.delete(socket);
    idle.add(socket);
    awaited.delete(socket);
    awaited.add(socket);
  }

  /** @returns false: nobody can be closed without losing what we are at work on */
  function makeRoom(): boolean {
    for (const socket of awaited) {
      awaited.delete(socket);
      if (latest.get(socket)?.complete === true) continue;
      if (idle.has(socket)) close(socket);
      else socket.destroy();
      return true;
    }
    return false;
  }

  function close(socket: Socket): void {
    idle.delete(socket);
    awaited.delete(socket);
    // Unlike end() this needs no goodbye from the other side; unlike destroy() what is written still goes out.
    socket.destroySoon();
  }

  function ended(socket: Socket, response: ServerResponse): void {
    const left = responses.get(socket);
    if (left === undefined) return;
    left.delete(response);
    if (left.size > 0) return;
    if (draining) close(socket);
    else becameIdle(socket);
  }

  return {
    accept(socket) {
      const address = socket.remoteAddress ?? '';
      const peer = peerOf(socket);
      const fromAddress = perAddress.get(address) ?? 0;
      if (fromAddress >= options.maxConnectionsPerAddress) return 'too-many-from-address';
      // Thousands that are half open, or half sent, must not lock others out until their time limit: a client that means it takes no time.
      if (accepted.size >= options.maxConnections && !makeRoom()) return 'too-many';
      accepted.add(socket);
      opening.set(peer, socket);
      awaited.add(socket);
      perAddress.set(address, fromAddress + 1);
      socket.once('close', () => forget(socket, address, peer));
      return undefined;
    },
    open(socket) {
      const peer = peerOf(socket);
      const opened = opening.get(peer);
      if (opened !== undefined) awaited.delete(opened);
      opening.delete(peer);
      responses.set(socket, new Set());
      becameIdle(socket);
      socket.once('close', () => {
        responses.delete(socket);
        idle.delete(socket);
        latest.delete(socket);
        awaited.delete(socket);
      });
    },
    began(socket, response) {
      idle.delete(socket);
      awaited.delete(socket);
      latest.set(socket, response.req);
      awaited.add(socket);
      responses.get(socket)?.add(response);
      if (draining) response.shouldKeepAlive = false;
      response.once('close', () => ended(socket, response));
    },
    underWay: (socket) => [...(responses.get(socket) ?? [])],
    drain() {
      draining = true;
      for (const response of [...responses.values()].flatMap((set) => [...set])) {
        if (!response.headersSent) response.shouldKeepAlive = false;
      }
    },
    closeIdle() {
      for (const socket of [...idle]) close(socket);
    },
    destroyAll() {
      for (const socket of [...accepted]) socket.destroy();
    },
    count: () => accepted.size,
    none: () =>
      accepted.size === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve)),
  };
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''}:${remotePort ?? 0}`;
}
