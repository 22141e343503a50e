import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Credentials } from './credentials.ts';

/** The API server closes a connection that was idle for 90 s, load balancers after 60 s; we do it before them. */
const IDLE_CONNECTION_MS = 30_000;
/** Silence on the line before the first TCP probe; client-go's value. */
const TCP_KEEP_ALIVE_MS = 30_000;
/** More at once would only wait inside the API server; the others wait here. */
const MAX_CONNECTIONS = 64;

export interface Agents {
  /** The keep-alive agent for requests. */
  forRequests(credentials: Credentials): HttpAgent;
  /** The agent for watches: they hold their connections, so they are not counted against the requests'. */
  forWatches(credentials: Credentials): HttpAgent;
  /** Closes the idle connections: where one has turned out to be dead, the others are likely to be, and each would cost a time limit. */
  dropIdle(): void;
  close(): void;
}

interface MadeAgents {
  readonly fingerprint: string;
  readonly requests: HttpAgent;
  readonly watches: HttpAgent;
}

/** Connections by TLS material: when certificates or the CA change, new requests get new connections and the old ones run out. */
export function createAgents(): Agents {
  let made: MadeAgents | undefined;
  // Hashing is for once a minute, not for each request.
  let hashed: { readonly credentials: Credentials; readonly fingerprint: string } | undefined;

  const agents = (credentials: Credentials): MadeAgents => {
    if (hashed?.credentials !== credentials)
      hashed = { credentials, fingerprint: fingerprintOf(credentials) };
    const { fingerprint } = hashed;
    if (made?.fingerprint !== fingerprint) {
      made = {
        fingerprint,
        requests: build(credentials, MAX_CONNECTIONS),
        watches: build(credentials, Infinity),
      };
    }
    return made;
  };

  return {
    forRequests: (credentials) => credentials.proxyAgent ?? agents(credentials).requests,
    forWatches: (credentials) => credentials.proxyAgent ?? agents(credentials).watches,
    dropIdle: () => {
      for (const sockets of Object.values(made?.requests.freeSockets ?? {})) {
        for (const socket of sockets ?? []) socket.destroy();
      }
    },
    close: () => {
      made?.requests.destroy();
      made?.watches.destroy();
      made = undefined;
    },
  };
}

function build({ server, tls }: Credentials, maxSockets: number): HttpAgent {
  const options = {
    keepAlive: true,
    keepAliveMsecs: TCP_KEEP_ALIVE_MS,
    maxSockets,
    scheduling: 'lifo' as const,
    // Ends idle connections only: on one in use it merely emits an event, which nobody listens to.
    timeout: IDLE_CONNECTION_MS,
  };
  return server.protocol === 'http:' ? new HttpAgent(options) : new HttpsAgent({ ...options, ...tls });
}

function fingerprintOf(credentials: Credentials): string {
  const { ca, cert, key, servername, rejectUnauthorized } = credentials.tls;
  const hash = createHash('sha256').update(
    JSON.stringify([credentials.server.origin, servername, rejectUnauthorized]),
  );
  for (const part of [ca, cert, key]) hash.update('|').update(part ?? '');
  return hash.digest('hex');
}
