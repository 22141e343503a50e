import { createApplicationCache, createCallbacks } from '../callbacks/index.ts';
import { createHttpsListener } from '../http/index.ts';
import { systemClock } from '../kube/index.ts';
import { createClientTrust, createServingCheck, servingNames } from '../pki/index.ts';
import { callbackMetrics, listenerMetrics, reflectorMetrics } from './area-metrics.ts';
import type { Part, Shared } from './shared.ts';

/** The PUT listener: a watch cache of Applications, the router, the listener, and the check that what is served verifies. */
export function callbacksPart({ config, client, logger, metrics, pki, events }: Shared): Part {
  const { callbacks, namespace } = config;
  const names = servingNames({
    serviceName: callbacks.serviceName,
    namespace,
    extraNames: callbacks.extraNames,
  });
  const applications = createApplicationCache({ client, logger, metrics: reflectorMetrics(metrics) });
  const trust = createClientTrust(
    { client, logger },
    { namespace, trustConfigMapName: config.pki.clientCertificates.trustConfigMapName },
  );
  const asksForCertificates = callbacks.clientCertificate !== 'off';
  const { router, audit } = createCallbacks(
    {
      client,
      applications,
      certificates: trust,
      events,
      logger: logger.child({ part: 'callbacks' }),
      metrics: callbackMetrics(metrics),
      clock: systemClock,
    },
    {
      bodyLimitBytes: callbacks.bodyLimitBytes,
      ratePerApplicationPerSecond: callbacks.ratePerApplicationPerSecond,
      rateBurst: callbacks.rateBurst,
      clientCertificate: callbacks.clientCertificate,
      trustedProxies: callbacks.trustedProxies,
      forwardedCertificateHeader: callbacks.forwardedCertificateHeader,
      podIdentity: {
        audience: config.podIdentity.audience,
        cacheTtlMs: config.podIdentity.cacheTtl,
        reviewsPerSecond: config.podIdentity.reviewsPerSecond,
      },
      ...(callbacks.externalEndpoint !== undefined && { externalEndpoint: callbacks.externalEndpoint }),
    },
  );
  const listener = createHttpsListener({
    name: 'callbacks',
    host: callbacks.host,
    port: callbacks.port,
    tls: pki.tlsSource(names),
    onRequest: router,
    // Who has none, or a bad one, is told so by HTTP, with the reason in the log; a pod identity needs none.
    ...(asksForCertificates && { clients: { trust, handshake: 'tell' as const } }),
    logger,
    metrics: listenerMetrics(metrics),
  });
  const serving = createServingCheck(
    // eslint-disable-next-line @typescript-eslint/require-await -- before the start pem() throws, which has to be a rejection
    { logger, caBundles: async () => [pki.trustBundle.pem()] },
    {
      listener: 'callbacks',
      host: callbacks.host,
      port: () => listener.port(),
      servername: names.dnsNames[0] ?? callbacks.serviceName,
    },
  );
  return {
    components: [applications, ...(asksForCertificates ? [trust] : []), audit, listener, serving],
    checks: [
      { name: 'callbacks: listener', ready: () => listener.ready() },
      { name: 'callbacks: Applications synced', ready: () => applications.ready() },
      ...(callbacks.clientCertificate === 'required'
        ? [{ name: 'callbacks: CAs of client certificates known', ready: () => trust.ready() }]
        : []),
      { name: 'callbacks: served certificate verifies', ready: () => serving.ready() },
    ],
  };
}
