import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import {
  createOutboundCaller,
  type CallOutcome,
  type CallResult,
  type OutboundCall,
  type OutboundCaller,
  type OutboundCallerDeps,
  type OutboundCallerOptions,
} from '../../../src/outbound/index.ts';
import { createRecordingLogger, type RecordingLogger } from '../kube/recording-logger.ts';

export interface TestServer {
  readonly port: number;
  /** Connections that have come so far. */
  readonly connections: () => number;
  readonly open: () => number;
  /** Resolves when no connection is open; rejects when that takes longer than 20 seconds. */
  allClosed(): Promise<void>;
}

/** What a server does with a connection once a whole request (without chunks) has come. */
export type Behaviour = (socket: Socket, request: string) => void;

/** Real servers on loopback for one test file. */
export interface TestServers {
  http(behave: Behaviour): Promise<TestServer>;
  https(tls: TlsOptions, behave: Behaviour): Promise<TestServer>;
  /** Accepts connections and does nothing, not even TLS. */
  silent(): Promise<TestServer>;
  stopAll(): Promise<void>;
}

export function createTestServers(): TestServers {
  const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
  const start = async (server: Server, event: 'connection' | 'secureConnection', behave?: Behaviour) => {
    const sockets = new Set<Socket>();
    let connections = 0;
    server.on('connection', (socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    });
    server.on(event, (socket: Socket) => {
      if (behave === undefined) socket.resume();
      else answerRequests(socket, behave);
    });
    server.on('tlsClientError', () => undefined);
    servers.push({ server, sockets });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      connections: () => connections,
      open: () => sockets.size,
      allClosed: () => waitUntil(() => sockets.size === 0, 'a connection is still open'),
    };
  };
  return {
    http: (behave) => start(createServer(), 'connection', behave),
    https: (tls, behave) => start(createTlsServer(tls), 'secureConnection', behave),
    silent: () => start(createServer(), 'connection'),
    stopAll: async () => {
      for (const { server, sockets } of servers.splice(0)) {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, 'close');
      }
    },
  };
}

function answerRequests(socket: Socket, behave: Behaviour): void {
  let received = '';
  socket
    .on('error', () => undefined)
    .on('data', (chunk) => {
      received += chunk.toString('utf8');
      const [head = '', body] = received.split('\r\n\r\n', 2);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (body === undefined || Buffer.byteLength(body) < length) return;
      const request = received;
      received = '';
      behave(socket, request);
    });
}

export async function waitUntil(holds: () => boolean, what: string): Promise<void> {
  const until = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > until) throw new Error(`after 20 seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface TestCaller {
  readonly caller: OutboundCaller;
  readonly outcomes: CallOutcome[];
  /** The last numbers told: under way, waiting. */
  readonly load: () => readonly [number, number];
  readonly logger: RecordingLogger;
  /** Makes a call with small limits; what is given counts more. */
  readonly call: (url: string, more?: Partial<OutboundCall>) => Promise<CallResult>;
}

export function createTestCaller(
  options: Partial<OutboundCallerOptions> = {},
  deps: Partial<OutboundCallerDeps> = {},
): TestCaller {
  const outcomes: CallOutcome[] = [];
  let load: readonly [number, number] = [0, 0];
  const logger = createRecordingLogger();
  const caller = createOutboundCaller(
    {
      resolveHost: () => Promise.resolve({ kind: 'unknown' }),
      apiServers: () => Promise.resolve([]),
      metrics: {
        called: (_purpose, outcome) => void outcomes.push(outcome),
        load: (active, waiting) => {
          load = [active, waiting];
        },
      },
      logger,
      monotonic: () => performance.now(),
      ...deps,
    },
    {
      allowCidrs: ['127.0.0.0/8'],
      denyCidrs: [],
      userAgent: 'krake-hooks/1.2.3',
      maxConcurrentCalls: 100,
      ...options,
    },
  );
  return {
    caller,
    outcomes,
    load: () => load,
    logger,
    call: (url, more = {}) =>
      caller.call({
        purpose: 'webhook',
        method: 'POST',
        url,
        connectTimeoutMs: 10_000,
        answerTimeoutMs: 10_000,
        maxAnswerBytes: 1_024,
        ...more,
      }),
  };
}
