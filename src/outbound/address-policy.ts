import { BlockList, isIP } from 'node:net';
import { embeddedIpv4, parseIpAddress, type IpAddress } from './ip-address.ts';

/** Why an address may not be called; the first that applies. */
export type AddressRefusal =
  | 'no-address'
  | 'denied-network'
  | 'own-address'
  | 'api-server'
  | 'metadata'
  | 'unspecified'
  | 'loopback'
  | 'link-local'
  | 'multicast'
  | 'reserved';

export type AddressVerdict =
  { readonly allowed: true } | { readonly allowed: false; readonly reason: AddressRefusal };

/** Where the API server listens; without a port every port of the address counts. */
export interface ApiServerAddress {
  readonly address: string;
  readonly port?: number;
}

export interface AddressPolicyOptions {
  /** Networks that may be called whatever else is said. CIDRs, or single addresses. */
  readonly allowCidrs: readonly string[];
  /** Networks that must not be called besides what is refused anyway. */
  readonly denyCidrs: readonly string[];
  /** Where this process itself listens. */
  readonly ownAddresses?: readonly string[];
}

export interface AddressPolicy {
  /** Decides on an address that is about to be connected to: names never come here, so no notation of a host slips by. */
  check(address: string, port: number, apiServers: readonly ApiServerAddress[]): AddressVerdict;
}

/**
 * Metadata services give credentials of the node to whoever asks. AWS (also of tasks and pods, 169.254.170.*), Google, Azure, Oracle and
 * OpenStack: 169.254.169.254, by whatever name; those with addresses of their own: AWS fd00:ec2::*, Google fd20:ce::254, Oracle fd00:c1::*, Alibaba
 * 100.100.100.200, Azure's wire server 168.63.129.16, Oracle's old 192.0.0.192.
 */
const METADATA = [
  '169.254.169.254',
  '169.254.170.0/24',
  'fd00:ec2::/32',
  'fd20:ce::254',
  'fd00:c1::a9fe:a9fe',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
];

/** In this order; from the IANA registries of special-purpose addresses. Private networks are not among them: in a cluster nearly all is private. */
const REFUSED: readonly (readonly [AddressRefusal, readonly string[]])[] = [
  ['metadata', METADATA],
  // All of 0.0.0.0/8 means this host to many a kernel.
  ['unspecified', ['0.0.0.0/8', '::']],
  ['loopback', ['127.0.0.0/8', '::1']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  // The limited broadcast 255.255.255.255 is in it.
  ['reserved', ['240.0.0.0/4']],
];

/** @throws Error that names the member of `allowCidrs` or `denyCidrs` which is no network */
export function createAddressPolicy(options: AddressPolicyOptions): AddressPolicy {
  const allowed = networks('allowCidrs', options.allowCidrs);
  const denied = networks('denyCidrs', options.denyCidrs);
  const own = networks('ownAddresses', options.ownAddresses ?? []);
  const refused = REFUSED.map(([reason, cidrs]) => [reason, networks(reason, cidrs)] as const);

  const refusalOf = (
    ip: IpAddress,
    port: number,
    apiServers: readonly ApiServerAddress[],
  ): AddressRefusal | undefined => {
    if (denied.check(ip.text, ip.family)) return 'denied-network';
    if (own.check(ip.text, ip.family)) return 'own-address';
    if (apiServers.some((server) => isApiServer(server, ip, port))) return 'api-server';
    return refused.find(([, list]) => list.check(ip.text, ip.family))?.[0];
  };

  return {
    check(address, port, apiServers) {
      const ip = parseIpAddress(address);
      if (ip === undefined) return { allowed: false, reason: 'no-address' };
      if (allowed.check(ip.text, ip.family)) return { allowed: true };
      for (const each of [ip, ...embeddedIpv4(ip)]) {
        const reason = refusalOf(each, port, apiServers);
        if (reason !== undefined && !allowed.check(each.text, each.family)) return { allowed: false, reason };
      }
      return { allowed: true };
    },
  };
}

function isApiServer(server: ApiServerAddress, ip: IpAddress, port: number): boolean {
  if (server.port !== undefined && server.port !== port) return false;
  const own = parseIpAddress(server.address);
  if (own?.family !== ip.family) return false;
  // A block list compares addresses in whatever way they are written.
  const list = new BlockList();
  list.addAddress(own.text, own.family);
  return list.check(ip.text, ip.family);
}

function networks(field: string, cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [index, cidr] of cidrs.entries()) {
    const problem = addNetwork(list, cidr.trim());
    if (problem !== undefined)
      throw new Error(`outbound.${field}[${index}]: "${cidr.slice(0, 63)}" ${problem}`);
  }
  return list;
}

/** @returns what is wrong with it */
function addNetwork(list: BlockList, cidr: string): string | undefined {
  const [address = '', prefixText, ...more] = cidr.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || more.length > 0)
    return 'is no network; write it like 10.0.0.0/8, fd00::/8 or 10.1.2.3';
  const bits = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (prefix < 0 || prefix > bits) return `needs a number from 0 to ${bits} behind the slash`;
  if (version === 6 && parseIpAddress(address)?.family === 'ipv4') {
    return 'is an IPv4 network written as IPv6; write it as IPv4';
  }
  list.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6');
  return undefined;
}
