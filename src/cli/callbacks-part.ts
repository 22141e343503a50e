import {
  createApplicationCache,
  createCallbackRouter,
  createGoodbyeStore,
  createSignalStore,
} from '../callbacks/index.ts';
import { createHttpsListener } from '../http/index.ts';
import { systemClock } from '../kube/index.ts';
import { createServingCheck, servingNames } from '../pki/index.ts';
import { callbackMetrics, listenerMetrics, reflectorMetrics } from './area-metrics.ts';
import type { Part, Shared } from './shared.ts';

/** The PUT listener: a watch cache of Applications, the router, the listener, and the check that what is served verifies. */
export function callbacksPart({ config, client, logger, metrics, pki }: Shared): Part {
  const { callbacks, namespace } = config;
  const names = servingNames({
    serviceName: callbacks.serviceName,
    namespace,
    extraNames: callbacks.extraNames,
  });
  const applications = createApplicationCache({ client, logger, metrics: reflectorMetrics(metrics) });
  const router = createCallbackRouter(
    {
      applications,
      store: createSignalStore(client),
      goodbyes: createGoodbyeStore(client),
      logger: logger.child({ part: 'callbacks' }),
      metrics: callbackMetrics(metrics),
      clock: systemClock,
    },
    {
      bodyLimitBytes: callbacks.bodyLimitBytes,
      ratePerApplicationPerSecond: callbacks.ratePerApplicationPerSecond,
      rateBurst: callbacks.rateBurst,
      ...(callbacks.externalEndpoint !== undefined && { externalEndpoint: callbacks.externalEndpoint }),
    },
  );
  const listener = createHttpsListener({
    name: 'callbacks',
    host: callbacks.host,
    port: callbacks.port,
    tls: pki.tlsSource(names),
    onRequest: router,
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
    components: [applications, listener, serving],
    checks: [
      { name: 'callbacks: listener', ready: () => listener.ready() },
      { name: 'callbacks: Applications synced', ready: () => applications.ready() },
      { name: 'callbacks: served certificate verifies', ready: () => serving.ready() },
    ],
  };
}
