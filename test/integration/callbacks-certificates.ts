import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request, type RequestOptions } from 'node:https';
import { text } from 'node:stream/consumers';
import type { CertificateStatus } from '../../src/applications/index.ts';
import type { ListenerLimits } from '../../src/http/index.ts';
import { systemClock, type FullKubeClient } from '../../src/kube/index.ts';
import { createClientTrust, type ClientIdentity } from '../../src/pki/index.ts';
import { createClientCertificateSigner, sha256 } from '../../src/pki/clients/sign-client-certificate.ts';
import { createTrustKeeper } from '../../src/pki/clients/trust-keeper.ts';
import { issueCa, issueServingCertificate } from '../../src/pki/issue-certificate.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createRecordingLogger } from '../unit/callbacks/recorders.ts';
import { createTestTls } from '../unit/http/listener-setting.ts';
import {
  NAMESPACE,
  SYSTEM_NAMESPACE,
  type CallbacksReplica,
  type CallbacksSetting,
  type PutAnswer,
  type ReplicaOptions,
} from './callbacks-setting.ts';

const HOUR_MS = 3_600_000;
const TRUST = { namespace: SYSTEM_NAMESPACE, trustConfigMapName: 'krake-hooks-client-ca' };

/** A certificate as a client shows it, and its line in the status. */
export interface ClientFiles {
  readonly cert: string;
  readonly key: string;
  readonly status: CertificateStatus;
}

export interface ClientCa {
  /** Of an application, good for an hour from `now` on. */
  issue(identity: ClientIdentity, now?: number): Promise<ClientFiles>;
  /** Signed by the same CA, for servers. */
  issueForServers(): Promise<ClientFiles>;
  /** Puts the CA where the callbacks look for it. */
  publish(client: FullKubeClient): Promise<void>;
}

export async function createClientCa(): Promise<ClientCa> {
  const ca = await issueCa({ now: Date.now() - 4 * HOUR_MS, lifetimeMs: 24 * HOUR_MS });
  const certificate = new X509Certificate(ca.cert);
  const signer = createClientCertificateSigner(
    { certificate, key: createPrivateKey(ca.key), notAfter: ca.notAfter },
    'krake-hooks-application',
  );
  const statusOf = (pem: string): CertificateStatus => {
    const leaf = new X509Certificate(pem);
    return {
      sha256: sha256(leaf.raw),
      issuerSha256: sha256(certificate.raw),
      notBefore: leaf.validFromDate.toISOString(),
      notAfter: leaf.validToDate.toISOString(),
    };
  };
  return {
    async issue(identity, now = Date.now()) {
      const issued = await signer.sign(identity, { now, lifetimeMs: HOUR_MS });
      return { cert: issued.certPem, key: issued.keyPem, status: statusOf(issued.certPem) };
    },
    async issueForServers() {
      const names = { dnsNames: ['localhost'], ipAddresses: [] };
      const { cert, key } = await issueServingCertificate(ca, names, {
        now: Date.now(),
        lifetimeMs: HOUR_MS,
      });
      return { cert, key, status: statusOf(cert) };
    },
    publish: async (client) => {
      const keeper = createTrustKeeper({ client, clock: systemClock }, { ...TRUST, holdMs: HOUR_MS });
      await keeper.publish([{ chain: [certificate], trustUntil: undefined }]);
    },
  };
}

/** What a request over TLS is made of, beside its path. */
export interface TlsRequest {
  readonly body?: string | object;
  readonly files?: Pick<ClientFiles, 'cert' | 'key'>;
  readonly headers?: Readonly<Record<string, string>>;
  /** An address of the loopback network that it comes from. */
  readonly from?: string;
  readonly agent?: RequestOptions['agent'];
}

export interface TlsReplica extends CallbacksReplica {
  send(name: string, hook: 'complete' | 'shutdown', request: TlsRequest): Promise<PutAnswer>;
  /** What its last answer was, by status and reason. */
  lastReason(): string;
  /** CA of its serving certificate. */
  readonly ca: string;
}

/** A replica with TLS that knows its clients by the ConfigMap, as the real one does. */
export async function startTlsReplica(
  setting: CallbacksSetting,
  options: ReplicaOptions & { readonly limits?: Partial<ListenerLimits> } = {},
): Promise<TlsReplica> {
  const tls = await createTestTls();
  const trust = createClientTrust(
    { client: setting.callbacksClient, logger: createRecordingLogger() },
    { ...TRUST, pollIntervalMs: 200 },
  );
  await trust.start(new AbortController().signal);
  await waitFor('the CAs of clients', () => Promise.resolve(trust.ready() ? true : undefined));
  const asks = options.clientCertificate !== 'off';
  const replica = await setting.replica({
    clientCertificate: 'required',
    certificates: trust,
    https: { tls, ...(asks && { clients: { trust, handshake: 'tell' as const } }) },
    ...options,
  });
  return {
    ...replica,
    ca: tls.ca,
    send: (name, hook, what) =>
      sendOverTls(
        replica.port,
        tls.ca,
        `/kubernetes/namespaces/${NAMESPACE}/applications/${name}/${hook}`,
        what,
      ),
    lastReason: () => replica.metrics.answers.at(-1)?.reason ?? '',
    async stop() {
      await replica.stop();
      await trust.stop();
    },
  };
}

async function sendOverTls(
  port: number,
  ca: string,
  path: string,
  { body = '', files, headers = {}, from = '127.0.0.1', agent = false }: TlsRequest,
): Promise<PutAnswer> {
  const put = request({
    host: '127.0.0.1',
    port,
    path,
    ca,
    agent,
    method: 'PUT',
    localAddress: from,
    headers,
    ...(files && { cert: files.cert, key: files.key }),
  });
  put.end(typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = (await once(put, 'response')) as [import('node:http').IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    text: await text(response),
    retryAfter: response.headers['retry-after'] ?? null,
  };
}
