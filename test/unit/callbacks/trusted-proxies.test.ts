import { describe, expect, it } from '@jest/globals';
import { createTrustedProxies } from '../../../src/callbacks/index.ts';

describe('createTrustedProxies', () => {
  const isTrusted = createTrustedProxies(['10.1.0.0/16', '192.0.2.7', 'fd00:1::/32', '::/64']);
  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['10.2.0.1', false],
    ['::ffff:10.2.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['fd00:1:5::9', true],
    ['fd00:2::1', false],
    // In ::/64, which says nothing of IPv4 addresses.
    ['::1', true],
    [undefined, false],
  ])('%s: %s', (address, expected) => {
    expect(isTrusted(address)).toBe(expected);
  });

  it('nobody is by default', () => expect(createTrustedProxies([])('127.0.0.1')).toBe(false));

  it.each(['::ffff:10.0.0.0/104', '::FFFF:a00:0/104', '0:0:0:0:0:ffff:10.0.0.0/104'])(
    '%s is 10.0.0.0/8',
    (network) => {
      const isMember = createTrustedProxies([network]);
      const addresses = ['10.1.2.3', '::ffff:10.1.2.3', '11.0.0.1', 'fd00::1'];
      expect(addresses.map(isMember)).toEqual([true, true, false, false]);
    },
  );

  it('takes one address in the mapped form', () => {
    const isMember = createTrustedProxies(['::ffff:192.0.2.7']);
    expect(['192.0.2.7', '192.0.2.8'].map(isMember)).toEqual([true, false]);
  });

  it.each([
    '10.0.0.0/33',
    'proxy',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    '/8',
    '',
    'fd00::/129',
    'fe80::1%eth0',
    // Half of it is no IPv4 address.
    '::ffff:0.0.0.0/95',
  ])('"%s" is no network', (network) => {
    expect(() => createTrustedProxies([network])).toThrow(
      /^callbacks\.trustedProxies: ".*is no network; write/,
    );
  });

  it.each(['0.0.0.0/0', '10.0.0.0/0', '::/0', 'fd00::/0', '::ffff:0:0/96', '::ffff:10.0.0.0/96'])(
    '%s is everybody',
    (network) => {
      expect(() => createTrustedProxies(['10.1.0.0/16', network])).toThrow(
        /^callbacks\.trustedProxies: ".*" is everybody/,
      );
    },
  );
});
