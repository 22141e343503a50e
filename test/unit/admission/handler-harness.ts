import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import {
  createAdmissionHandler,
  type AdmissionMetrics,
  type AdmissionSettings,
} from '../../../src/admission/index.ts';
import type { LogFields, Logger } from '../../../src/observability/index.ts';
import { requestFor, settingsOf } from './admission-fixtures.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ReviewAnswer {
  readonly apiVersion: string;
  readonly kind: string;
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patchType?: string;
    readonly patch?: string;
    readonly warnings?: readonly string[];
    readonly auditAnnotations?: Readonly<Record<string, string>>;
    readonly status?: { readonly code: number; readonly message: string; readonly reason: string };
  };
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** The handler on a real socket, with everything it tells recorded. */
export interface Harness {
  readonly port: number;
  readonly lines: LogLine[];
  readonly reviews: Parameters<AdmissionMetrics['reviewed']>[];
  readonly rejected: number[];
  failures(): number;
  send(body: string | Buffer, options?: SendOptions): Promise<Answer>;
  /** Writes raw bytes and returns what comes back until the connection ends. */
  raw(chunks: readonly (string | Buffer)[], endAfterwards: boolean): Promise<string>;
  close(): Promise<void>;
}

export interface SendOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly chunked?: boolean;
}

export async function startHandler(
  options: { readonly settings?: AdmissionSettings; readonly deadlineMs?: number } = {},
): Promise<Harness> {
  const lines: LogLine[] = [];
  const reviews: Harness['reviews'] = [];
  const rejected: number[] = [];
  let failures = 0;
  const handler = createAdmissionHandler(
    {
      logger: recordingLogger(lines),
      metrics: {
        reviewed: (...args) => void reviews.push(args),
        rejected: (status) => void rejected.push(status),
        failed: () => {
          failures++;
        },
      },
    },
    { settings: options.settings ?? settingsOf(), deadlineMs: options.deadlineMs ?? 30_000 },
  );
  const server = createServer((request, response) => void handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    lines,
    reviews,
    rejected,
    failures: () => failures,
    send: (body, sendOptions) => send(port, body, sendOptions),
    raw: (chunks, endAfterwards) => raw(port, chunks, endAfterwards),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** The JSON of a review of the object, as the API server sends it. */
export function reviewOf(object: unknown, uid = 'uid-1'): string {
  const request = requestFor({ object, uid });
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
}

export function stampedPod(spec: unknown = { containers: [{ name: 'app' }] }): object {
  const metadata = {
    name: 'web',
    labels: { 'hooks.krake.dev/application': 'web' },
    annotations: { 'hooks.krake.dev/hooks': 'complete' },
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
}

function recordingLogger(lines: LogLine[]): Logger {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  const logger: Logger = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => logger,
  };
  return logger;
}

function send(port: number, body: string | Buffer, options: SendOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'POST', path = '/mutate?timeout=3s', chunked = false } = options;
    const length: Record<string, number> = chunked ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const headers = { 'Content-Type': 'application/json', ...length, ...options.headers };
    const outgoing = httpRequest({ port, host: '127.0.0.1', method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode = 0, headers: answered } = response;
        resolve({ status: statusCode, headers: answered, body: Buffer.concat(chunks).toString() });
      });
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    if (!chunked) {
      outgoing.end(body);
      return;
    }
    const bytes = Buffer.from(body);
    outgoing.write(bytes.subarray(0, 10));
    outgoing.end(bytes.subarray(10));
  });
}

function raw(port: number, chunks: readonly (string | Buffer)[], endAfterwards: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(received).toString()));
    socket.on('connect', () => {
      for (const chunk of chunks) socket.write(chunk);
      if (endAfterwards) socket.end();
    });
  });
}
