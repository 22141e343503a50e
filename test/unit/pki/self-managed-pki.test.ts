import { describe, expect, it } from '@jest/globals';
import { createSelfManagedPki } from '../../../src/pki/index.ts';
import { createMemoryLogger } from './fakes.ts';

const HOUR = 3_600_000;
const fitting = { caLifetimeMs: 8_760 * HOUR, leafLifetimeMs: 24 * HOUR, trustDelayMs: 300_000 };

function create(timing: Partial<typeof fitting>) {
  const nobody = () => Promise.reject(new Error('not to be called'));
  return createSelfManagedPki(
    { client: { get: nobody, create: nobody, replace: nobody }, logger: createMemoryLogger() },
    { namespace: 'ns', caSecretName: 'ca', ...fitting, ...timing },
  );
}

describe('createSelfManagedPki', () => {
  it.each([
    ['a CA too short for two generations', { caLifetimeMs: 72 * HOUR }, 'pki.caLifetime must be at least'],
    ['a trust delay too long for the CA', { trustDelayMs: 2_900 * HOUR }, 'pki.caLifetime must be at least'],
    ['a leaf below the second that X.509 counts in', { leafLifetimeMs: 999 }, 'pki.leafLifetime'],
  ])('refuses %s', (_, timing, message) => {
    expect(() => create(timing)).toThrow(message);
  });

  it('has nothing before its start, and is not ready', () => {
    const pki = create({});
    const source = pki.tlsSource({ dnsNames: ['x.test'], ipAddresses: [] });
    expect(pki.ready()).toBe(false);
    expect(() => source.current()).toThrow('before the PKI has started');
    expect(() => pki.trustBundle.pem()).toThrow('before the PKI has started');
    expect(pki.expiry()).toEqual({ caNotAfter: undefined, servingNotAfter: undefined });
  });
});
