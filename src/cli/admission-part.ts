import { ADMISSION_PATH, buildAdmissionSettings, createAdmissionHandler } from '../admission/index.ts';
import { createHttpsListener } from '../http/index.ts';
import { createCaBundleKeeper, createServingCheck, readCaBundles, servingNames } from '../pki/index.ts';
import { admissionMetrics, listenerMetrics } from './area-metrics.ts';
import { onlyApiServer } from './only-api-server.ts';
import type { Part, Shared } from './shared.ts';
import { admissionWebhooks } from './webhook-configurations.ts';

/** The webhook listener: the pure handler, the listener, the caBundle, and the check that the API server can verify what is served. */
export function admissionPart(shared: Shared): Part {
  const { config, client, logger, metrics, events, pki } = shared;
  const { admission, namespace } = config;
  const webhookConfiguration = admissionWebhooks(config);
  const { clients, callers, ...only } = onlyApiServer(shared, {
    part: 'admission',
    webhookConfiguration,
    path: ADMISSION_PATH,
  });
  const names = servingNames({
    serviceName: admission.serviceName,
    namespace,
    extraNames: admission.extraNames,
  });
  const listener = createHttpsListener({
    name: 'admission',
    host: admission.host,
    port: admission.port,
    tls: pki.tlsSource(names),
    ...clients,
    onRequest: createAdmissionHandler(
      { logger: logger.child({ part: 'admission' }), metrics: admissionMetrics(metrics) },
      { settings: buildAdmissionSettings(config), callers, deadlineMs: admission.deadline },
    ),
    // The only caller is the API server: one address, which keeps a pool of idle connections for each caBundle it has seen.
    limits: { maxConnectionsPerAddress: Infinity },
    logger,
    metrics: listenerMetrics(metrics),
  });
  const keeper = createCaBundleKeeper(
    { client, trustBundle: pki.trustBundle, logger, events },
    { webhookConfiguration },
  );
  const serving = createServingCheck(
    { logger, caBundles: () => readCaBundles(client, webhookConfiguration) },
    {
      listener: 'admission',
      host: admission.host,
      port: () => listener.port(),
      servername: names.dnsNames[0] ?? admission.serviceName,
    },
  );
  return {
    components: [...only.components, listener, ...(config.pki.patchCaBundle ? [keeper] : []), serving],
    checks: [
      { name: 'admission: listener', ready: () => listener.ready() },
      { name: 'admission: served certificate verifies with the live caBundle', ready: () => serving.ready() },
      ...only.checks,
    ],
  };
}
