// One replica of the service as a process of its own, so that a test can kill it: PKI and caBundle keeper, and either a listener
// (role "serving") or the work of a controller's leader, publishing the bundle for applications (role "worker").
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttpsListener } from '../../src/http/index.ts';
import { createKubeClient } from '../../src/kube/index.ts';
import type { LogFields, Logger } from '../../src/observability/index.ts';
import { createCaBundleKeeper, createSelfManagedPki } from '../../src/pki/index.ts';

export interface ReplicaProcessOptions {
  readonly role: 'serving' | 'worker';
  readonly kubeconfigPath: string;
  readonly namespace: string;
  readonly caSecretName: string;
  readonly webhookConfigurationName: string;
  readonly caLifetimeMs: number;
  readonly leafLifetimeMs: number;
  readonly trustDelayMs: number;
  readonly pollIntervalMs: number;
  /** Every answer ends its connection, so that each request brings a handshake. */
  readonly closesConnections: boolean;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ReplicaProcessOptions;
const say = (line: object): void => console.log(JSON.stringify(line));
const write = (level: string) => (message: string, fields?: LogFields) => say({ level, message, ...fields });
const logger: Logger = {
  debug: () => undefined,
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
  child: () => logger,
};
process.stdin.on('end', () => process.exit()).resume(); // ends with the test, however that ends

const { webhookConfigurationName, namespace } = options;
const webhookConfiguration = {
  kind: 'MutatingWebhookConfiguration',
  name: webhookConfigurationName,
} as const;
const client = createKubeClient({
  kubeconfigPath: options.kubeconfigPath,
  userAgent: `replica-${options.role}/0`,
});
const pki = createSelfManagedPki(
  { client, logger },
  { ...options, webhookConfigurations: [webhookConfiguration] },
);
const tls = pki.tlsSource({ dnsNames: ['hooks.test'], ipAddresses: ['127.0.0.1'] });
const never = new AbortController().signal;
await pki.start(never);
const keeper = createCaBundleKeeper(
  { client, trustBundle: pki.trustBundle, logger },
  { webhookConfiguration, pollIntervalMs: options.pollIntervalMs },
);
await keeper.start(never);
if (options.role === 'worker') {
  // One after the other, so that the newest is the last.
  let publishing = Promise.resolve();
  pki.trustBundle.onChange(() => {
    publishing = publishing.then(publish);
  });
  await publish();
  say({ ready: true });
} else {
  await listen();
}

/** As the controller puts the bundle into the Secrets of applications. */
async function publish(): Promise<void> {
  try {
    const ref = { resource: { apiVersion: 'v1', plural: 'configmaps' }, namespace, name: 'app-bundle' };
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app-bundle', namespace },
      data: { 'ca-bundle.pem': pki.trustBundle.pem() },
    };
    await client.patch(ref, { type: 'apply', fieldManager: 'replica', body });
  } catch (error) {
    say({ level: 'error', message: 'not published', error: String(error) });
  }
}

async function listen(): Promise<void> {
  const listener = createHttpsListener({
    name: 'hooks',
    host: '127.0.0.1',
    port: 0,
    tls,
    onRequest: answer,
    logger,
    // The API server keeps the idle connections of each caBundle it ever had for 90 s: hundreds, at a rotation a second.
    limits: { maxConnectionsPerAddress: Infinity },
  });
  await listener.start(never);
  say({ ready: true, port: listener.port() });
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (options.closesConnections) response.setHeader('connection', 'close');
  response.setHeader('content-type', 'application/json');
  if (request.url?.startsWith('/review?') !== true) {
    response.end('{}');
    return;
  }
  const review = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } };
  const answered = { uid: review.request.uid, allowed: true };
  response.end(
    JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answered }),
  );
}
