import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ApiEndpoint } from '../cluster/api-request.ts';
import type { HistoryEvent, RecordedObject } from './history.ts';

/** A write of the service's that changes what it speaks of: no lease, no Event, no review. */
export interface CountedWrite {
  readonly method: string;
  readonly path: string;
  /** Undefined: not answered yet, or never. */
  status: number | undefined;
}

export interface Cut {
  /** 1 for the next write. */
  readonly at: number;
  /** `before`: it does not reach the API server; `after`: it does, and its answer does not come back; `beside`: it is passed on as ever. */
  readonly when: 'before' | 'after' | 'beside';
  /** What goes wrong. */
  readonly strike: () => void;
}

/** Between a process of the service and the API server: counts its writes, and lets something go wrong at one of them. */
export interface ApiProxy {
  readonly url: string;
  /** The writes since the last call, in the order in which they came; the last of them is the one that was cut. */
  readonly writes: readonly CountedWrite[];
  /** Counts and records anew from here, what is written in this namespace alone: another one may not be at rest yet. Without a cut nothing goes wrong. */
  arm(namespace: string, cut: Cut | undefined, record: (event: HistoryEvent) => void): void;
  hasCut(): boolean;
  stop(): Promise<void>;
}

const READS = ['GET', 'HEAD', 'OPTIONS'];
const UNCOUNTED = /\/(?:leases|events|tokenreviews|subjectaccessreviews|selfsubjectaccessreviews)(?:\/|\?|$)/;
const NAMESPACE = /\/namespaces\/([^/?]+)\//;
const POD = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/?]+)(\/eviction)?(?:\?|$)/;
const OTHER = /^\/(?:api|apis\/[^/]+)\/[^/]+\/namespaces\/([^/]+)\/([^/]+)\/([^/?]+)(?:\?|$)/;
const APPLICATION = /\/apis\/hooks\.krake\.dev\/[^/]+\/namespaces\/[^/]+\/applications\//;

export async function startApiProxy(endpoint: ApiEndpoint): Promise<ApiProxy> {
  const agent = new Agent({ keepAlive: true, ca: endpoint.caPem });
  const target = new URL(endpoint.url);
  let namespace = '';
  let writes: CountedWrite[] = [];
  let cut: Cut | undefined;
  let record: (event: HistoryEvent) => void = () => undefined;
  let isCut = false;

  function forward(incoming: IncomingMessage, body: Buffer | undefined): Promise<IncomingMessage> {
    const headers = { ...incoming.headers, host: target.host };
    // The body is here already.
    delete headers.expect;
    return new Promise((resolve, reject) => {
      const options = { agent, method: incoming.method, headers };
      const outgoing = httpsRequest(new URL(incoming.url ?? '/', target), options, resolve);
      outgoing.on('error', reject);
      incoming.on('close', () => {
        if (!incoming.complete) outgoing.destroy();
      });
      outgoing.end(body);
    });
  }

  async function passRead(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const answer = await forward(incoming, undefined);
    // A watch of what never changes has headers, and nothing else for minutes.
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
    outgoing.on('close', () => answer.destroy());
  }

  async function passWrite(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '' } = incoming;
    const body = await buffer(incoming);
    const isMeant = NAMESPACE.exec(url)?.[1] === namespace;
    const isCounted = isMeant && !UNCOUNTED.test(url);
    const write: CountedWrite = { method, path: url, status: undefined };
    const number = isCounted ? writes.push(write) : 0;
    const due = isCounted && !isCut && cut?.at === number ? cut : undefined;
    if (due !== undefined && due.when !== 'after') {
      isCut = true;
      due.strike();
    }
    if (due?.when === 'before') {
      outgoing.destroy();
      return;
    }
    const current = isMeant ? record : () => undefined;
    const removal = removalOf(method, url, body);
    if (removal !== undefined) current(removal);
    const answer = await forward(incoming, body);
    const answered = await buffer(answer);
    const status = answer.statusCode ?? 502;
    write.status = status;
    if (due?.when === 'after') {
      isCut = true;
      due.strike();
      outgoing.destroy();
      return;
    }
    // Before the process can know that it is stored.
    if (APPLICATION.test(url) && status < 300) noteApplication(answered, current);
    outgoing.writeHead(status, answer.headers).end(answered);
  }

  const server = createServer((incoming, outgoing) => {
    const isRead = READS.includes(incoming.method ?? '');
    (isRead ? passRead : passWrite)(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get writes() {
      return writes;
    },
    arm(where, next, to) {
      namespace = where;
      writes = [];
      cut = next;
      isCut = false;
      record = to;
    },
    hasCut: () => isCut,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

function noteApplication(answer: Buffer, record: (event: HistoryEvent) => void): void {
  const object = JSON.parse(answer.toString('utf8')) as RecordedObject;
  if (object.kind === 'Application')
    record({ kind: 'object', atMs: performance.now(), type: 'MODIFIED', object });
}

interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string };
}

function removalOf(method: string, url: string, body: Buffer): HistoryEvent | undefined {
  if (UNCOUNTED.test(url)) return undefined;
  const pod = POD.exec(url);
  const isEviction = method === 'POST' && pod?.[3] !== undefined;
  if (method !== 'DELETE' && !isEviction) return undefined;
  const given =
    body.length === 0
      ? {}
      : (JSON.parse(body.toString('utf8')) as DeleteOptions & { deleteOptions?: DeleteOptions });
  const uid = (isEviction ? given.deleteOptions : given)?.preconditions?.uid;
  const [, namespace = '', second = '', third = ''] = pod ?? OTHER.exec(url) ?? [];
  const [resource, name] = pod === null ? [second, third] : ['pods', second];
  return { kind: 'removal', atMs: performance.now(), namespace, resource, name, uid };
}
