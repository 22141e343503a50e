import type { AddressPolicy, AddressRefusal, ApiServerAddress } from './address-policy.ts';
import { CallError } from './call-error.ts';
import type { CallTarget } from './call-target.ts';
import type { ResolveHost } from './resolve-host.ts';

export interface AddressDeps {
  readonly resolveHost: ResolveHost;
  readonly policy: AddressPolicy;
  /** Where the Kubernetes API server listens; asked at each call. */
  readonly apiServers: () => Promise<readonly ApiServerAddress[]>;
}

/** Finds the addresses of a target; none is returned that the policy refuses. */
export interface CheckedAddresses {
  readonly addresses: readonly string[];
  /** Once more, for the address that a connection has really reached. */
  readonly isAllowed: (address: string) => boolean;
}

const REFUSED_AS: Readonly<Record<AddressRefusal, string>> = {
  'no-address': 'is no IP address',
  'denied-network': 'lies in a network of outbound.denyCidrs',
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
 * @throws CallError `dns` or `address-refused`
 */
export async function findAddresses(deps: AddressDeps, target: CallTarget): Promise<CheckedAddresses> {
  const addresses = target.address === undefined ? await resolve(deps, target) : [target.address];
  const apiServers = await deps.apiServers();
  for (const address of addresses) {
    const verdict = deps.policy.check(address, target.port, apiServers);
    if (!verdict.allowed) throw refused(target, address, verdict.reason);
  }
  return {
    addresses,
    isAllowed: (address) => deps.policy.check(address, target.port, apiServers).allowed,
  };
}

async function resolve({ resolveHost }: AddressDeps, target: CallTarget): Promise<readonly string[]> {
  const resolution = await resolveHost(target.host);
  if (resolution.kind === 'addresses' && resolution.addresses.length > 0) return resolution.addresses;
  throw new CallError(
    'dns',
    resolution.kind === 'no-answer'
      ? `no name server said where ${target.shown} is; check the name and the cluster's DNS`
      : `${target.shown}: the name has no address; check its spelling and that the Service exists`,
  );
}

function refused(target: CallTarget, address: string, reason: AddressRefusal): CallError {
  return new CallError(
    'address-refused',
    `${target.shown} leads to ${address}, which ${REFUSED_AS[reason]}; if it is meant, add it to outbound.allowCidrs`,
  );
}
