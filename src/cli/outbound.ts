import { inClusterUrl, type Config } from '../config/index.ts';
import { createHostResolver, createOutboundCaller, type OutboundCaller } from '../outbound/index.ts';
import { createApiServerAddresses } from './api-server-addresses.ts';
import { outboundMetrics } from './area-metrics.ts';
import type { Shared } from './shared.ts';
import { VERSION } from './version.ts';

/**
 * The caller for shutdown services and webhooks. The part that makes one closes it when it stops.
 *
 * @param limits ownNamespace: whose Services nobody else's URL leads to
 * @throws Error that names the network of the configuration which cannot be read
 */
export function createOutbound(
  { client, logger, metrics }: Pick<Shared, 'client' | 'logger' | 'metrics'>,
  outbound: Config['outbound'],
  { ownNamespace }: { readonly ownNamespace?: string } = {},
): OutboundCaller {
  const monotonic = (): number => performance.now();
  const log = logger.child({ part: 'outbound' });
  return createOutboundCaller(
    {
      resolveHost: createHostResolver(),
      apiServers: apiServersOf({ client, logger: log }),
      metrics: outboundMetrics(metrics),
      logger: log,
      monotonic,
    },
    {
      allowCidrs: outbound.allowCidrs,
      denyCidrs: outbound.denyCidrs,
      ownAddresses: outbound.ownAddresses,
      ownNamespace,
      inClusterNamespaces: outbound.inClusterNamespaces,
      caFile: outbound.caFile,
      maxConcurrentCalls: outbound.maxConcurrentCalls,
      userAgent: `krake-hooks/${VERSION}`,
    },
  );
}

/** Where the API server listens; nobody's webhook leads there. */
export function apiServersOf({
  client,
  logger,
}: Pick<Shared, 'client' | 'logger'>): ReturnType<typeof createApiServerAddresses> {
  return createApiServerAddresses({ client, logger, monotonic: () => performance.now() }, inClusterUrl());
}
