import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createAddressPolicy, type AddressPolicyOptions } from '../../../src/outbound/index.ts';

const NO_LISTS: AddressPolicyOptions = { allowCidrs: [], denyCidrs: [] };

function reasonFor(address: string, options: Partial<AddressPolicyOptions> = {}): string {
  const verdict = createAddressPolicy({ ...NO_LISTS, ...options }).check(address, 80, [
    { address: '10.96.0.1' },
    { address: 'fd00:0:0::1' },
    { address: '10.0.0.7', port: 6443 },
  ]);
  return verdict.allowed ? 'allowed' : verdict.reason;
}

describe('address policy', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['169.254.0.1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['169.254.170.2', 'metadata'],
    ['169.254.170.23', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['fd00:ec2::23', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.250', 'multicast'],
    ['ff02::1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['10.96.0.1', 'api-server'],
    ['fd00::1', 'api-server'],
    ['10.0.0.7', 'allowed'], // port 80 of a node whose port 6443 is the API server
    ['10.1.2.3', 'allowed'],
    ['192.168.1.1', 'allowed'],
    ['100.100.100.201', 'allowed'],
    ['93.184.216.34', 'allowed'],
    ['fd12:3456::1', 'allowed'],
    ['2606:2800:220:1::1', 'allowed'],
    ['', 'no-address'],
    ['localhost', 'no-address'],
    ['2130706433', 'no-address'],
    ['0177.0.0.1', 'no-address'],
    ['10.0.0.1:80', 'no-address'],
  ])('%s: %s', (address, expected) => {
    expect(reasonFor(address)).toBe(expected);
  });

  it('refuses addresses of its own, however they are written', () => {
    const ownAddresses = ['10.1.2.3', 'fd00:1::3'];
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1:0:0::3'])
      expect(reasonFor(address, { ownAddresses })).toBe('own-address');
    expect(reasonFor('10.1.2.4', { ownAddresses })).toBe('allowed');
  });

  it.each([
    ['IPv4-mapped', '::ffff:127.0.0.1', 'loopback'],
    ['IPv4-mapped in hexadecimal', '::ffff:a9fe:a9fe', 'metadata'],
    ['IPv4-mapped, written out', '0:0:0:0:0:ffff:7f00:1', 'loopback'],
    ['IPv4-mapped API server', '::ffff:10.96.0.1', 'api-server'],
    ['IPv4-compatible', '::127.0.0.1', 'loopback'],
    ['NAT64', '64:ff9b::7f00:1', 'loopback'],
    ['NAT64, metadata', '64:ff9b::169.254.169.254', 'metadata'],
    ['local NAT64, /96', '64:ff9b:1::10.96.0.1', 'api-server'],
    ['local NAT64, /48', '64:ff9b:1:a9fe:a9:fe00::', 'metadata'],
    ['6to4', '2002:7f00:1::1', 'loopback'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:80ff:fffe', 'loopback'],
    ['NAT64 of a public address', '64:ff9b::5db8:d822', 'allowed'],
  ])('looks into %s', (_form, address, expected) => {
    expect(reasonFor(address)).toBe(expected);
  });

  it('refuses the port of the API server on a node', () => {
    const policy = createAddressPolicy(NO_LISTS);
    const servers = [{ address: '10.0.0.7', port: 6443 }];
    expect(policy.check('10.0.0.7', 6443, servers)).toEqual({ allowed: false, reason: 'api-server' });
    expect(policy.check('::ffff:10.0.0.7', 6443, servers)).toEqual({ allowed: false, reason: 'api-server' });
  });

  it('denies networks, and what is allowed is allowed whatever else is said', () => {
    const options = {
      denyCidrs: ['10.0.0.0/8', 'fd12::/16', '192.0.2.1'],
      allowCidrs: ['10.1.0.0/16', '127.0.0.1'],
    };
    expect(reasonFor('10.2.0.1', options)).toBe('denied-network');
    expect(reasonFor('::ffff:10.2.0.1', options)).toBe('denied-network');
    expect(reasonFor('fd12::1', options)).toBe('denied-network');
    expect(reasonFor('192.0.2.1', options)).toBe('denied-network');
    expect(reasonFor('192.0.2.2', options)).toBe('allowed');
    expect(reasonFor('10.1.0.1', options)).toBe('allowed');
    expect(reasonFor('127.0.0.1', options)).toBe('allowed');
    expect(reasonFor('::ffff:127.0.0.1', options)).toBe('allowed');
    expect(reasonFor('127.0.0.2', options)).toBe('loopback');
    expect(reasonFor('10.96.0.1', { allowCidrs: ['10.96.0.0/12'] })).toBe('allowed');
    expect(reasonFor('127.0.0.1', { allowCidrs: ['0.0.0.0/0'] })).toBe('allowed');
    expect(reasonFor('10.9.9.9', { denyCidrs: ['10.1.2.3/8'] })).toBe('denied-network');
  });

  it.each([
    ['10.0.0/8', 'is no network'],
    ['', 'is no network'],
    ['example.org', 'is no network'],
    ['10.0.0.0/8/8', 'is no network'],
    ['fe80::%eth0/10', 'is no network'],
    ['10.0.0.0/33', 'from 0 to 32'],
    ['10.0.0.0/', 'from 0 to 32'],
    ['10.0.0.0/-1', 'from 0 to 32'],
    ['fd00::/129', 'from 0 to 128'],
    ['::ffff:10.0.0.0/104', 'write it as IPv4'],
  ])('says what is wrong with "%s"', (cidr, problem) => {
    const create = () => createAddressPolicy({ allowCidrs: [], denyCidrs: ['10.0.0.0/8', cidr] });
    expect(create).toThrow(problem);
    expect(create).toThrow('outbound.denyCidrs[1]: ');
  });

  it('decides the same on every way to write an IPv4 address as IPv6', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const plain = reasonFor(address);
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const groups = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        expect(reasonFor(`::ffff:${address}`)).toBe(plain);
        expect(reasonFor(`::FFFF:${groups}`)).toBe(plain);
        expect(reasonFor(`64:ff9b::${groups}`)).toBe(plain);
        expect(reasonFor(`2002:${groups}::1`)).toBe(plain);
      }),
    );
  });
});
