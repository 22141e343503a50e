import type { KubeClient, KubeObject } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import type { ApiServerAddress } from '../outbound/index.ts';

interface Service extends KubeObject {
  readonly spec?: { readonly clusterIPs?: readonly string[] };
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[] | null;
  readonly ports?: readonly { readonly port?: number }[] | null;
}

/** The API server publishes itself under this name, the Service as well as its EndpointSlice. */
const KUBERNETES = { namespace: 'default', name: 'kubernetes' } as const;
const READ_AGAIN_AFTER_MS = 60_000;
/** When something could not be read. */
const TRY_AGAIN_AFTER_MS = 5_000;
const READ_TIMEOUT_MS = 2_000;

export interface ApiServerAddressesDeps {
  readonly client: Pick<KubeClient, 'get'>;
  readonly logger: Logger;
  readonly monotonic: () => number;
}

/**
 * Where the API server listens: the address that this process was told, the Service's and the endpoints'. Read at the first use and again
 * after a minute, which nobody waits for; what cannot be read stays as it was, and is logged once.
 *
 * @param serverUrl from the container's variables; undefined outside of a pod
 */
export function createApiServerAddresses(
  { client, logger, monotonic }: ApiServerAddressesDeps,
  serverUrl: string | undefined,
): () => Promise<readonly ApiServerAddress[]> {
  const told: readonly ApiServerAddress[] =
    serverUrl === undefined ? [] : [{ address: new URL(serverUrl).hostname.replace(/^\[|\]$/g, '') }];
  let ofService: readonly ApiServerAddress[] = [];
  let ofEndpoints: readonly ApiServerAddress[] = [];
  let readAgainAt = Number.NEGATIVE_INFINITY;
  let first: Promise<void> | undefined;
  let hasWarned = false;

  const read = async (): Promise<void> => {
    readAgainAt = monotonic() + READ_AGAIN_AFTER_MS;
    const limits = { timeoutMs: READ_TIMEOUT_MS };
    const [service, slice] = await Promise.allSettled([
      client.get<Service>({ resource: { apiVersion: 'v1', plural: 'services' }, ...KUBERNETES }, limits),
      client.get<EndpointSlice>(
        { resource: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' }, ...KUBERNETES },
        limits,
      ),
    ]);
    for (const result of [service, slice]) {
      if (result.status === 'fulfilled') continue;
      readAgainAt = monotonic() + TRY_AGAIN_AFTER_MS;
      if (hasWarned) continue;
      hasWarned = true;
      logger.warn("not all addresses of the API server are known, so outbound calls to them aren't refused", {
        error: result.reason instanceof Error ? result.reason.message : 'unknown',
      });
    }
    if (service.status === 'fulfilled') ofService = serviceAddresses(service.value);
    if (slice.status === 'fulfilled') ofEndpoints = endpointAddresses(slice.value);
  };

  return async () => {
    if (monotonic() >= readAgainAt) {
      const reading = read();
      first ??= reading;
    }
    await first;
    return [...told, ...ofService, ...ofEndpoints];
  };
}

function serviceAddresses(service: Service | undefined): ApiServerAddress[] {
  const addresses = service?.spec?.clusterIPs ?? [];
  return addresses.map((address) => ({ address }));
}

/** With their port: the endpoints are nodes, on which other things may listen. */
function endpointAddresses(slice: EndpointSlice | undefined): ApiServerAddress[] {
  const ports = (slice?.ports ?? []).flatMap(({ port }) => (port === undefined ? [] : [port]));
  const addresses = (slice?.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
  return addresses.flatMap((address) => ports.map((port) => ({ address, port })));
}
