// `node handshake-server.ts ours|bare CERT KEY CLIENT_CA UID SHA256`: the callbacks with one Application in place of the watch cache, which has its signal
// already; or node:https with the same TLS settings, which answers the same. Prints its port.
import { constants, hash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createCallbacks, type KnownApplication } from '../src/callbacks/index.ts';
import { callbackMetrics, listenerMetrics } from '../src/cli/area-metrics.ts';
import { createHttpsListener } from '../src/http/index.ts';
import { systemClock } from '../src/kube/index.ts';
import { createLogger, createMetrics } from '../src/observability/index.ts';
import { judgeClient } from '../src/pki/clients/judge-client.ts';

const TOKEN = 'a-token-for-handshakes';
const [kind = '', certFile = '', keyFile = '', caFile = '', uid = '', sha256 = ''] = process.argv.slice(2);
const [cert, key, ca] = [certFile, keyFile, caFile].map((file) => readFileSync(file, 'utf8'));
const UNLIMITED = 1e9;

if (kind === 'bare') await serveBare();
else await serveOurs();

async function serveBare(): Promise<void> {
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET;
  const options = {
    cert,
    key,
    ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2' as const,
  };
  const body =
    '{"namespace":"shop","application":"web","hook":"complete","receivedAt":"2030-01-01T00:00:00.000Z"}';
  const server = createServer({ ...options, secureOptions }, (request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'Content-Length': body.length }).end(body));
  });
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 });
  await once(server, 'listening');
  console.log((server.address() as AddressInfo).port);
}

async function serveOurs(): Promise<void> {
  const logger = createLogger({ level: 'info', stream: createWriteStream('/dev/null') });
  const metrics = createMetrics();
  const certificate = new X509Certificate(ca ?? '');
  const trusted = [{ certificate, sha256: '', trustUntil: Infinity, signs: true }];
  const never = () => () => undefined;
  const application: KnownApplication = {
    uid,
    auth: 'token',
    tokenSha256: hash('sha256', TOKEN, 'hex'),
    formerTokens: [],
    certificates: [{ sha256, notAfter: '2100-01-01T00:00:00Z' }],
    workloadUids: [],
    hooks: ['complete'],
    signals: { complete: { receivedAt: '2030-01-01T00:00:00.000Z' } },
    countsPods: false,
    completeFrom: undefined,
    shutdown: { form: 'service', sequence: undefined, conversations: [], volunteered: undefined },
  };
  const unused = () => Promise.reject(new Error('there is no API server here'));
  const listener = createHttpsListener({
    name: 'callbacks',
    host: '127.0.0.1',
    port: 0,
    tls: { current: () => ({ cert: cert ?? '', key: key ?? '' }), onChange: never },
    clients: { handshake: 'tell', trust: { caPem: () => ca ?? '', onChange: never } },
    onRequest: createCallbacks(
      {
        client: { get: unused, create: unused, patch: unused, getRaw: unused },
        applications: { get: () => application, ready: () => true, connected: () => true },
        certificates: {
          ready: () => true,
          verify: (shown) => judgeClient(shown, trusted, Date.now()),
          onChange: never,
        },
        events: { record: () => undefined },
        logger,
        metrics: callbackMetrics(metrics),
        clock: systemClock,
      },
      {
        bodyLimitBytes: 65_536,
        ratePerApplicationPerSecond: UNLIMITED,
        rateBurst: UNLIMITED,
        clientCertificate: 'required',
        trustedProxies: [],
        forwardedCertificateHeader: 'ssl-client-cert',
        podIdentity: { audience: 'hooks.krake.dev', cacheTtlMs: 10_000, reviewsPerSecond: 50 },
      },
    ).router,
    logger,
    metrics: listenerMetrics(metrics),
  });
  await listener.start(new AbortController().signal);
  console.log(listener.port());
}
