import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  createHttpListener,
  createHttpsListener,
  type Listener,
  type TlsSource,
} from '../../../src/http/index.ts';
import type { ListenerOptions } from '../../../src/http/index.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';

const HOUR_MS = 3_600_000;

/** Listeners of one test file, stopped together. */
export interface Listeners {
  http(options: Partial<ListenerOptions>): Promise<Listener>;
  https(tls: TlsSource, options: Partial<ListenerOptions>): Promise<Listener>;
  stopAll(): Promise<void>;
}

export function createListeners(): Listeners {
  const started: Listener[] = [];
  const defaults: ListenerOptions = {
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    onRequest: (_request, response) => response.end('ok'),
  };
  const merge = (options: Partial<ListenerOptions>): ListenerOptions => ({
    ...defaults,
    ...options,
    limits: { idleGraceMs: 50, drainTimeoutMs: 1_000, ...options.limits },
  });
  const start = async (listener: Listener) => {
    await listener.start(new AbortController().signal);
    started.push(listener);
    return listener;
  };
  return {
    http: (options) => start(createHttpListener(merge(options))),
    https: (tls, options) => start(createHttpsListener({ ...merge(options), tls })),
    async stopAll() {
      await Promise.all(started.splice(0).map((listener) => listener.stop()));
    },
  };
}

export interface TestTls extends TlsSource {
  /** What a client trusts. */
  readonly ca: string;
  /** A new certificate of the same CA, taken up at once. */
  rotate(): Promise<void>;
  /** Something that is no certificate. */
  breakIt(): void;
}

export async function createTestTls(): Promise<TestTls> {
  const ca = await issueCa({ now: Date.now(), lifetimeMs: 2 * HOUR_MS });
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  const issue = () => issueServingCertificate(ca, names, { now: Date.now(), lifetimeMs: HOUR_MS });
  const listeners = new Set<() => void>();
  let current: { cert: string; key: string } = await issue();
  const set = (next: { cert: string; key: string }) => {
    current = next;
    for (const listener of listeners) listener();
  };
  return {
    ca: ca.cert,
    current: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    rotate: async () => set(await issue()),
    breakIt: () => set({ cert: 'no certificate', key: 'no key' }),
  };
}

/** A bare TCP connection that notes what comes and whether it was closed. */
export interface RawConnection {
  readonly socket: Socket;
  readonly received: () => string;
  readonly closed: Promise<void>;
}

export async function openRaw(
  port: number,
  { from }: { readonly from?: string } = {},
): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', ...(from === undefined ? {} : { localAddress: from }) });
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  // Not once(): that rejects for a reset, which is a way of closing too.
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  await once(socket, 'connect');
  return { socket, received: () => received, closed };
}

/** Sends these bytes and resolves with the whole answer when the other side has closed. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const raw = await openRaw(port);
  raw.socket.write(bytes);
  await raw.closed;
  return raw.received();
}

/** Turns the event loop until it holds; the test's own time limit ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}
