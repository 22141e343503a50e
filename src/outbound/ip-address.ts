import { isIPv4, isIPv6 } from 'node:net';

/** An address with the family that `node:net` asks for. */
export interface IpAddress {
  readonly text: string;
  readonly family: 'ipv4' | 'ipv6';
}

/** Reads an IP address; an IPv4 address that is written as IPv6 (`::ffff:127.0.0.1`) is that IPv4 address, a zone is dropped. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { text, family: 'ipv4' };
  const bare = text.replace(/%.*$/, '');
  if (!isIPv6(bare)) return undefined;
  const bytes = ipv6Bytes(bare);
  const isMapped = startsWith(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
  return isMapped ? ipv4At(bytes, 12) : { text: bare, family: 'ipv6' };
}

/**
 * The IPv4 addresses that an IPv6 address may lead to by a translator or tunnel on the way: NAT64 (64:ff9b::/96, RFC 6052; 64:ff9b:1::/48, RFC
 * 8215), 6to4 (RFC 3056), Teredo (RFC 4380), and the IPv4-compatible form of old.
 */
export function embeddedIpv4({ text, family }: IpAddress): IpAddress[] {
  if (family === 'ipv4') return [];
  const bytes = ipv6Bytes(text);
  if (startsWith(bytes, [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])) return [ipv4At(bytes, 12)];
  if (startsWith(bytes, [0, 0x64, 0xff, 0x9b, 0, 1])) {
    // Operators choose a /96 of it, or the /48 itself, where the address goes around byte 8 and zeros follow (RFC 6052, 2.2).
    const isShort = bytes.slice(11).every((byte) => byte === 0);
    return [isShort ? ipv4Of([bytes[6], bytes[7], bytes[9], bytes[10]]) : ipv4At(bytes, 12)];
  }
  if (startsWith(bytes, [0x20, 0x02])) return [ipv4At(bytes, 2)];
  if (startsWith(bytes, [0x20, 0x01, 0, 0])) return [ipv4Of(bytes.slice(12).map((byte) => byte ^ 0xff))];
  if (
    startsWith(
      bytes,
      Array.from({ length: 12 }, () => 0),
    )
  )
    return [ipv4At(bytes, 12)];
  return [];
}

/** @param text a valid IPv6 address without a zone */
function ipv6Bytes(text: string): number[] {
  const [head = '', tail] = text.split('::', 2);
  const front = groupBytes(head);
  const back = groupBytes(tail ?? '');
  const gap = Array.from({ length: 16 - front.length - back.length }, () => 0);
  return [...front, ...gap, ...back];
}

function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function ipv4At(bytes: readonly number[], offset: number): IpAddress {
  return ipv4Of(bytes.slice(offset, offset + 4));
}

function ipv4Of(bytes: readonly (number | undefined)[]): IpAddress {
  return { text: bytes.join('.'), family: 'ipv4' };
}

function startsWith(bytes: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}
