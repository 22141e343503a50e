import type { AddressPolicy, AddressRefusal, ApiServerAddress } from './address-policy.ts';
import { CallError } from './call-error.ts';
import type { CallTarget } from './call-target.ts';
import type { ResolveHost } from './resolve-host.ts';
import {
  SERVICE_REFUSED_AS,
  whyServiceRefused,
  type ServicePolicyOptions,
  type ServiceRefusal,
} from './service-policy.ts';

export interface AddressDeps {
  readonly resolveHost: ResolveHost;
  readonly policy: AddressPolicy;
  readonly services: ServicePolicyOptions;
  /** Where the Kubernetes API server listens; asked at each call. */
  readonly apiServers: () => Promise<readonly ApiServerAddress[]>;
}

/** Finds the addresses of a target; none is returned that the policy refuses. */
export interface CheckedAddresses {
  readonly addresses: readonly string[];
  /** Once more, for the address that a connection has really reached. */
  readonly isAllowed: (address: string) => boolean;
  /** They were found by the name of a Service. */
  readonly inCluster: boolean;
}

const REFUSED_AS: Readonly<Record<AddressRefusal, string>> = {
  'no-address': 'is no IP address',
  'denied-network': 'lies in a network of outbound.denyCidrs',
  'own-address': 'is an address of this service itself',
  'api-server': 'is the Kubernetes API server',
  metadata: 'is a metadata service of the cloud',
  unspecified: 'is the unspecified address',
  loopback: 'is a loopback address',
  'link-local': 'is a link-local address',
  multicast: 'is a multicast address',
  reserved: 'is a reserved or broadcast address',
};

/**
 * A name of which only some addresses may be called is refused as a whole: it is a mistake or an attack, and which address is met would be
 * chance.
 *
 * @param namespace of whoever chose the target; undefined: it is ours
 * @throws CallError `dns` or `address-refused`
 */
export async function findAddresses(
  deps: AddressDeps,
  target: CallTarget,
  namespace?: string,
): Promise<CheckedAddresses> {
  const found =
    target.address === undefined
      ? await resolve(deps, target, namespace)
      : { addresses: [target.address], namespace: undefined };
  const { addresses } = found;
  const apiServers = await deps.apiServers();
  for (const address of addresses) {
    const verdict = deps.policy.check(address, target.port, apiServers);
    if (!verdict.allowed) throw refused(target, address, verdict.reason);
  }
  return {
    addresses,
    inCluster: found.namespace !== undefined,
    isAllowed: (address) => deps.policy.check(address, target.port, apiServers).allowed,
  };
}

interface Found {
  readonly addresses: readonly string[];
  readonly namespace?: string | undefined;
}

async function resolve(
  { resolveHost, services }: AddressDeps,
  target: CallTarget,
  namespace: string | undefined,
): Promise<Found> {
  const resolution = await resolveHost(target.host, namespace);
  if (resolution.kind === 'addresses' && resolution.addresses.length > 0) {
    if (namespace !== undefined && resolution.namespace !== undefined) {
      const refusal = whyServiceRefused(services, namespace, resolution.namespace);
      if (refusal !== undefined) throw serviceRefused(target, resolution.namespace, refusal);
    }
    return resolution;
  }
  throw new CallError(
    'dns',
    resolution.kind === 'no-answer'
      ? `no name server said where ${target.shown} is; check the name and the cluster's DNS`
      : `${target.shown}: the name has no address; check its spelling and that the Service exists`,
  );
}

function serviceRefused(target: CallTarget, namespace: string, refusal: ServiceRefusal): CallError {
  return new CallError(
    'address-refused',
    `${target.shown} is a Service of the namespace ${namespace}, ${SERVICE_REFUSED_AS[refusal]}`,
  );
}

function refused(target: CallTarget, address: string, reason: AddressRefusal): CallError {
  return new CallError(
    'address-refused',
    `${target.shown} leads to ${address}, which ${REFUSED_AS[reason]}; if it is meant, add it to outbound.allowCidrs`,
  );
}
