import { BlockList, isIP, isIPv6 } from 'node:net';
import { addressOf } from './source-of.ts';

/**
 * Tells trusted proxies by their address. A network is a CIDR or a single address.
 *
 * @throws Error that names the member which is no network
 */
export function createTrustedProxies(
  networks: readonly string[],
): (remoteAddress: string | undefined) => boolean {
  const list = new BlockList();
  for (const network of networks) add(list, network);
  return (remoteAddress) => {
    const address = networks.length === 0 ? undefined : addressOf(remoteAddress);
    return address !== undefined && isIP(address) !== 0 && list.check(address, familyOf(address));
  };
}

function add(list: BlockList, network: string): void {
  const [address = '', bits, ...more] = network.split('/');
  const max = isIP(address) === 6 ? 128 : 32;
  const prefix = bits === undefined ? max : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (isIP(address) === 0 || more.length > 0 || !(prefix <= max))
    throw new Error(
      `callbacks.trustedProxies: "${network.slice(0, 60)}" is no network; write it as 10.0.0.0/8`,
    );
  list.addSubnet(address, prefix, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
