import { SYSTEM_NAMESPACES } from '../contract/index.ts';
import { createGateCache, createGateHandler, GATE_PATH } from '../gate/index.ts';
import { createHttpsListener } from '../http/index.ts';
import { systemClock } from '../kube/index.ts';
import { createCaBundleKeeper, createServingCheck, readCaBundles, servingNames } from '../pki/index.ts';
import { gateMetrics, listenerMetrics, reflectorMetrics } from './area-metrics.ts';
import { onlyApiServer } from './only-api-server.ts';
import type { Part, Shared } from './shared.ts';
import { gateWebhooks } from './webhook-configurations.ts';

/** Refuses the removal of pods that have to say goodbye first: a watch cache, the listener, the caBundle and the check of what is served. */
export function gatePart(shared: Shared): Part {
  const { config, client, logger, metrics, events, pki } = shared;
  const { gate, namespace } = config;
  const webhookConfiguration = gateWebhooks(config);
  const log = logger.child({ part: 'gate' });
  const { clients, callers, ...only } = onlyApiServer(shared, {
    part: 'gate',
    webhookConfiguration,
    path: GATE_PATH,
  });
  const names = servingNames({ serviceName: gate.serviceName, namespace, extraNames: gate.extraNames });
  const applications = createGateCache({ client, logger: log, metrics: reflectorMetrics(metrics) });
  const listener = createHttpsListener({
    name: 'gate',
    host: gate.host,
    port: gate.port,
    tls: pki.tlsSource(names),
    ...clients,
    onRequest: createGateHandler(
      { client, applications, logger: log, metrics: gateMetrics(metrics), clock: systemClock },
      {
        callers,
        deadlineMs: gate.deadline,
        excludedNamespaces: new Set([...SYSTEM_NAMESPACES, namespace]),
        evictionRetryAfterSeconds: gate.evictionRetryAfterSeconds,
      },
    ),
    // The only caller is the API server, as with admission.
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
      listener: 'gate',
      host: gate.host,
      port: () => listener.port(),
      servername: names.dnsNames[0] ?? gate.serviceName,
    },
  );
  return {
    components: [
      applications,
      ...only.components,
      listener,
      ...(config.pki.patchCaBundle ? [keeper] : []),
      serving,
    ],
    checks: [
      { name: 'gate: listener', ready: () => listener.ready() },
      { name: 'gate: Applications synced', ready: () => applications.ready() },
      { name: 'gate: served certificate verifies with the live caBundle', ready: () => serving.ready() },
      ...only.checks,
    ],
  };
}
