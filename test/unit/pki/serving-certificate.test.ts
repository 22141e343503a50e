import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { issueCa } from '../../../src/pki/issue-certificate.ts';
import { createServingCertificate } from '../../../src/pki/serving-certificate.ts';
import { servingNames } from '../../../src/pki/serving-names.ts';

const HOUR = 3_600_000;
const now = Date.UTC(2030, 0, 1);

async function setUp() {
  const [ca, otherCa] = await Promise.all([1, 2].map(() => issueCa({ now, lifetimeMs: 240 * HOUR })));
  if (ca === undefined || otherCa === undefined) throw new Error('no CA');
  const errors: unknown[] = [];
  const certificate = createServingCertificate({
    names: { dnsNames: ['x.test'], ipAddresses: [] },
    lifetimeMs: 24 * HOUR,
    onListenerError: (error) => errors.push(error),
  });
  let changes = 0;
  certificate.source.onChange(() => changes++);
  return { ca, otherCa, certificate, errors, changes: () => changes };
}

describe('createServingCertificate', () => {
  it('has nothing to serve before the first CA', async () => {
    const { certificate } = await setUp();
    expect(() => certificate.source.current()).toThrow('before the PKI has started');
    expect(certificate.notAfter()).toBeUndefined();
  });

  it('is renewed at two thirds of its life, not before', async () => {
    const { ca, certificate, changes } = await setUp();
    await certificate.refresh(ca, now);
    const first = certificate.source.current();
    await certificate.refresh(ca, now + 16 * HOUR - 1);
    expect(certificate.source.current()).toEqual(first);
    await certificate.refresh(ca, now + 16 * HOUR);
    expect(certificate.source.current().cert).not.toBe(first.cert);
    expect(certificate.source.current().key).not.toBe(first.key);
    expect(certificate.notAfter()).toBe(now + 40 * HOUR);
    expect(changes()).toBe(2);
  });

  it('follows the CA at once', async () => {
    const { ca, otherCa, certificate, changes } = await setUp();
    await certificate.refresh(ca, now);
    await certificate.refresh(otherCa, now + 1);
    const leaf = new X509Certificate(certificate.source.current().cert);
    expect(leaf.checkIssued(new X509Certificate(otherCa.cert))).toBe(true);
    expect(changes()).toBe(2);
  });

  it('tells all listeners though one of them throws, and none that has left', async () => {
    const { ca, certificate, errors, changes } = await setUp();
    let later = 0;
    const leave = certificate.source.onChange(() => {
      throw new Error('listener');
    });
    certificate.source.onChange(() => later++);
    await certificate.refresh(ca, now);
    expect([changes(), later, errors.length]).toEqual([1, 1, 1]);
    leave();
    await certificate.refresh(ca, now + 20 * HOUR);
    expect([changes(), later, errors.length]).toEqual([2, 2, 1]);
  });
});

describe('servingNames', () => {
  it('has all names of the Service, and the extra ones by kind, each once', () => {
    const names = servingNames({
      serviceName: 'hooks',
      namespace: 'krake-system',
      extraNames: ['hooks.example.org', '10.0.0.1', '::1', 'hooks', '10.0.0.1'],
    });
    expect(names).toEqual({
      dnsNames: [
        'hooks.krake-system.svc',
        'hooks.krake-system.svc.cluster.local',
        'hooks.krake-system',
        'hooks',
        'hooks.example.org',
      ],
      ipAddresses: ['10.0.0.1', '::1'],
    });
  });
});
