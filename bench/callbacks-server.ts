// The callbacks as they run, as a process of their own: `node callbacks-server.ts CERT KEY KUBECONFIG`. Prints its port. Differs from
// the real one only in its limits, which are too high to be met.
import { createWriteStream, readFileSync } from 'node:fs';
import { createApplicationCache, createCallbacks } from '../src/callbacks/index.ts';
import { callbackMetrics, listenerMetrics, reflectorMetrics } from '../src/cli/area-metrics.ts';
import { createHttpsListener } from '../src/http/index.ts';
import { createKubeClient, systemClock } from '../src/kube/index.ts';
import { createLogger, createMetrics } from '../src/observability/index.ts';

const [certFile = '', keyFile = '', kubeconfigPath = ''] = process.argv.slice(2);
const UNLIMITED = 1e9;

const logger = createLogger({ level: 'info', stream: createWriteStream('/dev/null') });
const metrics = createMetrics();
const client = createKubeClient({ kubeconfigPath, userAgent: 'krake-hooks-callbacks/0' });
const applications = createApplicationCache({ client, logger, metrics: reflectorMetrics(metrics) });
const certificate = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
const listener = createHttpsListener({
  name: 'callbacks',
  host: '127.0.0.1',
  port: 0,
  tls: { current: () => certificate, onChange: () => () => undefined },
  onRequest: createCallbacks(
    {
      client,
      applications,
      certificates: {
        ready: () => true,
        verify: () => ({ ok: false, reason: 'unknown-issuer' }),
        onChange: () => () => undefined,
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
      failuresPerSourcePerSecond: UNLIMITED,
      failureBurst: UNLIMITED,
      clientCertificate: 'off',
      trustedProxies: [],
      forwardedCertificateHeader: 'ssl-client-cert',
      podIdentity: { audience: 'hooks.krake.dev', cacheTtlMs: 10_000, reviewsPerSecond: 50 },
    },
  ).router,
  logger,
  metrics: listenerMetrics(metrics),
});
const running = new AbortController();
await applications.start(running.signal);
while (!applications.connected()) await new Promise((resolve) => setTimeout(resolve, 20));
await listener.start(running.signal);
console.log(listener.port());
