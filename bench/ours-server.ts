// Our admission listener as `serve` wires it, with a certificate from files and without a cluster: `node ours-server.ts CERT KEY`. Prints its port.
import { readFileSync } from 'node:fs';
import { buildAdmissionSettings, createAdmissionHandler } from '../src/admission/index.ts';
import { admissionMetrics } from '../src/cli/area-metrics.ts';
import { loadConfig } from '../src/config/index.ts';
import { createHttpsListener } from '../src/http/index.ts';
import { createLogger, createMetrics } from '../src/observability/index.ts';

const [certFile = '', keyFile = ''] = process.argv.slice(2);
const config = loadConfig({ env: {} });
// Written as in production, a line for each review; its reader is the benchmark, which throws it away.
const logger = createLogger({ level: 'info' });
const metrics = createMetrics();
const pem = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };

const listener = createHttpsListener({
  name: 'admission',
  host: '127.0.0.1',
  port: 0,
  tls: { current: () => pem, onChange: () => () => undefined },
  onRequest: createAdmissionHandler(
    { logger, metrics: admissionMetrics(metrics) },
    { settings: buildAdmissionSettings(config), deadlineMs: config.admission.deadline },
  ),
  limits: { maxConnectionsPerAddress: Infinity },
});
await listener.start(new AbortController().signal);
console.log(listener.port());
