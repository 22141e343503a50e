import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '../../src/kube/index.ts';
import { issueCa, issueServingCertificate } from '../../src/pki/issue-certificate.ts';
import type { ShutdownFailure } from '../../src/contract/index.ts';
import { createTestServers, type Behaviour } from '../unit/outbound/caller-setting.ts';
import type { ApplicationsSetting } from './applications-setting.ts';

/** A shutdown service that nobody would want, and what its application's people are to read of it. */
export interface HostileService {
  readonly name: string;
  /** hooks.krake.dev/shutdown-service. */
  readonly service: string;
  /** The service form: a headless Service of this name, that leads to this address. */
  readonly leadsTo: { readonly service: string; readonly port: number; readonly address: string } | undefined;
  readonly failure: ShutdownFailure;
  /** In the condition and in an Event; undefined: the call was accepted, and nothing followed. */
  readonly why: string | undefined;
  /** Connections that have come; undefined: nothing listens there. */
  readonly connections: (() => number) | undefined;
}

export interface HostileServices {
  readonly all: readonly HostileService[];
  /** Nobody must ever come here: redirects and refused names lead to it. */
  readonly untouched: () => number;
  readonly caFile: string;
  /** Serves somebody good. */
  good(onAsked: (body: string) => void): Promise<number>;
  stop(): Promise<void>;
}

const MB = 1_048_576;
const HOUR_MS = 3_600_000;
/** The only address of loopback that may be called in these tests. */
export const ALLOWED = '127.0.0.1';

export async function startHostileServices({ admin }: ApplicationsSetting): Promise<HostileServices> {
  const servers = createTestServers();
  const directory = await mkdtemp(join(tmpdir(), 'hostile-'));
  const caFile = join(directory, 'ca.pem');
  const ca = await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS });
  await writeFile(caFile, ca.cert);
  const other = { dnsNames: ['somebody-else.shop.pod'], ipAddresses: [] };
  const wrongName = await issueServingCertificate(ca, other, { now: Date.now(), lifetimeMs: HOUR_MS });
  const prey = await servers.http(
    (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
  );
  const apiServer = await findApiServer(admin);

  /** In the pod form, since a pod is where it says; every other one is to give up. */
  let count = 0;
  const failure = (): ShutdownFailure => (count++ % 2 === 0 ? 'delete' : 'give-up');
  const serve = async (name: string, why: string | undefined, behave: Behaviour): Promise<HostileService> => {
    const { port, connections } = await servers.http(behave);
    return {
      name,
      service: `pod:${port}/shutdown`,
      leadsTo: undefined,
      failure: failure(),
      why,
      connections,
    };
  };
  const refused = (name: string, address: string, why: string, port = prey.port): HostileService => ({
    name,
    service: `${name}:${port}`,
    leadsTo: { service: name, port, address },
    failure: failure(),
    why: `leads to ${address}, which ${why}`,
    connections: undefined,
  });
  const silent = await servers.silent();
  const tls = await servers.https(wrongName, (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'));

  const all: HostileService[] = [
    {
      ...{ name: 'silent', service: `pod:${silent.port}`, leadsTo: undefined, failure: failure() },
      ...{ why: 'did not answer within', connections: silent.connections },
    },
    await serve('byte-a-second', 'did not answer within', (socket) => {
      const bytes = [...'HTTP/1.1 200 OK\r\n'];
      const timer = setInterval(() => socket.write(bytes.shift() ?? 'x'), 1_000);
      socket.on('close', () => clearInterval(timer));
    }),
    await serve('redirects', 'answered 302, a redirect, which is not followed', (socket) => {
      const location = `http://${ALLOWED}:${prey.port}/`;
      socket.end(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
    }),
    await serve('ten-megabytes', undefined, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${10 * MB}\r\n\r\n`);
      socket.end(Buffer.alloc(10 * MB, 'x'));
    }),
    await serve('ten-megabytes-of-head', 'sent what is no HTTP/1.1 answer', (socket) => {
      socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(10 * MB)}`);
    }),
    await serve('closes', 'closed the connection without an answer', (socket) => void socket.destroy()),
    {
      ...{ name: 'wrong-name', service: `https://pod:${tls.port}`, leadsTo: undefined, failure: failure() },
      ...{ why: 'has a certificate for another name', connections: tls.connections },
    },
    refused('to-loopback', '127.0.0.2', 'is a loopback address'),
    refused('to-link-local', '169.254.7.7', 'is a link-local address'),
    refused('to-metadata', '169.254.169.254', 'is a metadata service'),
    refused('to-api-server', apiServer.address, 'is the Kubernetes API server', apiServer.port),
  ];

  return {
    all,
    untouched: prey.connections,
    caFile,
    async good(onAsked) {
      const { port } = await servers.http((socket, request) => {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        onAsked(request.slice(request.indexOf('\r\n\r\n') + 4));
      });
      return port;
    },
    async stop() {
      await servers.stopAll();
      await rm(directory, { recursive: true });
    },
  };
}

interface ServiceObject extends KubeObject {
  readonly spec?: { readonly clusterIP?: string; readonly ports?: readonly { readonly port: number }[] };
}

/** As the cluster itself says it. */
async function findApiServer(
  admin: ApplicationsSetting['admin'],
): Promise<{ address: string; port: number }> {
  const resource = { apiVersion: 'v1', plural: 'services' };
  const service = await admin.get<ServiceObject>({ resource, namespace: 'default', name: 'kubernetes' });
  const [address, port] = [service?.spec?.clusterIP, service?.spec?.ports?.[0]?.port];
  if (address === undefined || port === undefined) throw new Error('the API server has no Service');
  return { address, port };
}
