import { BlockList, isIP, isIPv6 } from 'node:net';
import { addressOf } from '../http/index.ts';

type Family = 'ipv4' | 'ipv6';

interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: Family;
}

/** The IPv6 form of an IPv4 address, as `URL` writes it. */
const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;
const MAPPED_BITS = 96;

/**
 * Tells trusted proxies by their address. A network is a CIDR or a single address; IPv4 in its IPv6 form (`::ffff:10.0.0.0/104`) is IPv4.
 *
 * @throws Error that names the member which is no network, or which is everybody
 */
export function createTrustedProxies(
  networks: readonly string[],
): (remoteAddress: string | undefined) => boolean {
  // Each family has a list of its own: Node takes an IPv4 address for a member of ::/64.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks) {
    const { address, prefix, family } = readNetwork(network);
    lists[family].addSubnet(address, prefix, family);
  }
  return (remoteAddress) => {
    const address = networks.length === 0 ? undefined : addressOf(remoteAddress);
    if (address === undefined || isIP(address) === 0) return false;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return lists[family].check(address, family);
  };
}

function readNetwork(text: string): Network {
  const network = parseNetwork(text);
  const named = `callbacks.trustedProxies: "${text.slice(0, 60)}"`;
  if (network === undefined) throw new Error(`${named} is no network; write it as 10.0.0.0/8`);
  if (network.prefix === 0)
    throw new Error(
      `${named} is everybody, who could then name any certificate in the header; name your proxies alone, as 10.244.7.0/24`,
    );
  return network;
}

function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return undefined;
  const max = version === 6 ? 128 : 32;
  const prefix = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(prefix <= max)) return undefined;
  if (version === 4) return { address, prefix, family: 'ipv4' };
  const mapped = mappedAddress(address);
  if (mapped === undefined) return { address, prefix, family: 'ipv6' };
  return prefix < MAPPED_BITS ? undefined : { address: mapped, prefix: prefix - MAPPED_BITS, family: 'ipv4' };
}

/** However it is written; undefined: it is a proper IPv6 address. */
function mappedAddress(address: string): string | undefined {
  const [, high, low] = MAPPED.exec(new URL(`http://[${address}]`).hostname) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const halves = [high, low].map((half) => Number.parseInt(half, 16));
  return halves.flatMap((half) => [half >> 8, half & 255]).join('.');
}
