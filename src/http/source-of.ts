import { isIPv6 } from 'node:net';

const MAPPED_IPV4 = '::ffff:';

/** As Kubernetes writes it: an IPv4 address as such also when it comes over an IPv6 socket, and without a zone. */
export function addressOf(remoteAddress: string | undefined): string | undefined {
  const address = remoteAddress?.toLowerCase().split('%')[0];
  return address?.startsWith(MAPPED_IPV4) === true && address.includes('.')
    ? address.slice(MAPPED_IPV4.length)
    : address;
}

/** Whom a budget belongs to: an IPv4 address, or the /64 of an IPv6 address, since one machine may use all of that. */
export function sourceOf(remoteAddress: string | undefined): string {
  const address = remoteAddress ?? '';
  if (!isIPv6(address)) return address;
  if (address.startsWith(MAPPED_IPV4) && address.includes('.')) return address.slice(MAPPED_IPV4.length);
  const [head = '', tail] = address.split('::');
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return `${[...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':')}::/64`;
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
