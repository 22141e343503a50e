import type { IncomingMessage, Server as HttpServer, ServerOptions, ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Logger } from '../observability/index.ts';
import {
  answerClientError,
  certificateRefusal,
  classifyClientError,
  type ClientFailure,
} from './client-error.ts';
import { createConnections, type Refusal } from './connections.ts';
import { DEFAULT_LIMITS, type ListenerLimits } from './listener-limits.ts';
import { sendProblem } from './problem.ts';
import { createRefusalLog } from './refusal-log.ts';

/** A component of the process: started in order, stopped in reverse. */
export interface Listener {
  readonly name: string;
  /** Rejects when the port cannot be listened on. When the signal is aborted every connection is cut. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Stops accepting; lets requests under way end; idle connections may bring one more request for a moment, then they are closed.
   * Resolves when none is left, at the drain time limit at the latest. Called twice: the same promise.
   */
  stop(): Promise<void>;
  ready(): boolean;
  /** The port that is listened on; the chosen one for port 0. Throws before the start. */
  port(): number;
  /** Open connections, those in a TLS handshake included. */
  connections(): number;
}

/** Declared here, counted in observability. Labels are bounded. */
export interface ListenerMetrics {
  connectionRefused(listener: string, reason: Refusal): void;
  clientFailed(listener: string, failure: ClientFailure): void;
}

export interface ListenerOptions {
  readonly name: string;
  /** Empty: all addresses, IPv6 and IPv4. */
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** May be async; what it throws is logged and answered 500. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly limits?: Partial<ListenerLimits>;
  readonly logger?: Logger;
  readonly metrics?: ListenerMetrics;
}

/** What the kinds of listeners differ in. */
export interface ServerKind {
  readonly create: (options: ServerOptions, limits: ListenerLimits) => HttpServer;
  /** The event that brings a connection on which requests can come. */
  readonly opened: 'connection' | 'secureConnection';
  /** Clients without a certificate that is taken get no connection; why is logged. */
  readonly refusesClients?: boolean;
  /** Called just before the server listens; the function returned, when it stops. What it throws rejects the start. */
  readonly prepare?: (server: HttpServer) => () => void;
}

/** How often the time limits of header and request are looked at; it is their inaccuracy. */
const CHECK_INTERVAL_MS = 1_000;
/** Connections that wait to be accepted; with Node's 511 a burst of them has others wait a second for their next SYN. */
const BACKLOG = 4_096;
/** Enough for any client; Node's own limit of 2,000 is an invitation. */
const MAX_HEADERS = 100;

export function createListener(kind: ServerKind, options: ListenerOptions): Listener {
  const { name, logger, metrics } = options;
  const limits: ListenerLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const connections = createConnections(limits);
  const refusals = createRefusalLog((reason, times) =>
    logger?.warn('client refused for its certificate', { listener: name, reason, times }),
  );
  const server = kind.create(
    {
      keepAlive: true,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      maxHeaderSize: limits.maxHeaderBytes,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersTimeoutMs),
    },
    limits,
  );
  server.maxHeadersCount = MAX_HEADERS;
  // A client that does not read its answer: nothing goes in or out.
  server.timeout = limits.keepAliveTimeoutMs + limits.requestTimeoutMs;

  // Before the server's own listener, so that a refused connection costs no TLS state.
  server.prependListener('connection', (socket: Socket) => {
    const refusal = connections.accept(socket);
    if (refusal === undefined) return;
    metrics?.connectionRefused(name, refusal);
    socket.destroy();
  });
  server.on(kind.opened, (socket: Socket) => {
    if (!socket.destroyed) connections.open(socket);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const refusal = kind.refusesClients === true ? certificateRefusal(error, socket) : undefined;
    const failure = classifyClientError(error, refusal);
    metrics?.clientFailed(name, failure);
    if (refusal !== undefined) refusals.tell(refusal);
    answerClientError(failure, socket, connections);
  });
  server.on('request', (request, response) => {
    connections.began(request.socket, response);
    void handle(request, response);
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await options.onRequest(request, response);
    } catch (error) {
      logger?.error('request handler failed', { listener: name, error: String(error) });
      if (response.headersSent) response.destroy();
      else sendProblem(response, { status: 500, detail: 'The request could not be handled.' });
    }
  }

  let listening = false;
  let release: (() => void) | undefined;
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    const wasListening = listening;
    listening = false;
    release?.();
    connections.drain();
    // The parent's close: it only stops accepting. Node's HTTP close also closes idle connections at once, and cuts off the
    // request that a client is just sending on one of them.
    if (wasListening) NetServer.prototype.close.call(server);
    const grace = setTimeout(() => connections.closeIdle(), limits.idleGraceMs);
    const deadline = setTimeout(() => {
      logger?.warn('connections cut at the end of the drain time', {
        listener: name,
        connections: connections.count(),
      });
      connections.destroyAll();
    }, limits.drainTimeoutMs);
    await connections.none();
    clearTimeout(grace);
    clearTimeout(deadline);
    // Ends the server's own timer too.
    server.close(() => undefined);
  }

  return {
    name,
    async start(signal) {
      release = kind.prepare?.(server);
      await listen(server, options);
      listening = true;
      signal.addEventListener('abort', () => connections.destroyAll(), { once: true });
      server.on('error', (error) =>
        logger?.error('listener failed', { listener: name, error: String(error) }),
      );
      logger?.info('listening', { listener: name, port: portOf(server) });
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
    ready: () => listening,
    port: () => portOf(server),
    connections: () => connections.count(),
  };
}

function listen(server: NetServer, { name, host, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new Error(`${name}: cannot listen on ${host}:${port}: ${whyNot(error)}`, { cause: error }));
    server.once('error', failed);
    server.listen({ port, backlog: BACKLOG, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function whyNot(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the port is in use; stop the other program or configure another port';
    case 'EACCES':
      return 'not permitted; configure a port above 1023';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address; leave the host empty for all addresses';
    default:
      return error.message;
  }
}

function portOf(server: NetServer): number {
  const address = server.address() as AddressInfo | null;
  if (address === null) throw new Error('the listener does not listen');
  return address.port;
}
