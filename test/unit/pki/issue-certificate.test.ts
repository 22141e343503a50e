import { describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BACKDATE_MS, issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';

const now = Date.UTC(2030, 5, 15, 12, 0, 0, 789);
const HOUR = 3_600_000;
const names = {
  dnsNames: ['krake-hooks-admission.krake-system.svc', 'hooks.example.org'],
  ipAddresses: ['10.1.2.3', '2001:db8::7'],
};

describe('issueCa', () => {
  it('makes a self-signed CA that may sign leaves only', async () => {
    const ca = await issueCa({ now, lifetimeMs: 24 * HOUR });
    const certificate = new X509Certificate(ca.cert);
    expect(certificate.ca).toBe(true);
    expect(certificate.checkIssued(certificate)).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' });
    expect(ca.notAfter).toBe(now - 789 + 24 * HOUR);
    expect(ca.notBefore).toBe(now - 789 - BACKDATE_MS);
    expect(ca.key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });

  it('gives each a positive serial number of 128 bits and a name of its own', async () => {
    const cas = await Promise.all(Array.from({ length: 50 }, () => issueCa({ now, lifetimeMs: HOUR })));
    const certificates = cas.map((ca) => new X509Certificate(ca.cert));
    expect(new Set(certificates.map((certificate) => certificate.serialNumber)).size).toBe(50);
    expect(new Set(certificates.map((certificate) => certificate.subject)).size).toBe(50);
    for (const { serialNumber } of certificates) expect(serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  it('lives beyond 2049, where X.509 writes years with four digits', async () => {
    const ca = await issueCa({ now, lifetimeMs: 30 * 365 * 24 * HOUR });
    expect(new Date(ca.notAfter).getUTCFullYear()).toBeGreaterThan(2055);
  });
});

describe('issueServingCertificate', () => {
  it('makes a leaf of that CA, valid for the names and for nothing else', async () => {
    const ca = await issueCa({ now, lifetimeMs: 48 * HOUR });
    const other = await issueCa({ now, lifetimeMs: 48 * HOUR });
    const leaf = await issueServingCertificate(ca, names, { now, lifetimeMs: 24 * HOUR });
    const certificate = new X509Certificate(leaf.cert);
    const issuer = new X509Certificate(ca.cert);
    expect(certificate.ca).toBe(false);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.checkIssued(new X509Certificate(other.cert))).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    for (const name of names.dnsNames) expect(certificate.checkHost(name)).toBe(name);
    for (const address of names.ipAddresses) expect(certificate.checkIP(address)).toBe(address);
    expect(certificate.checkHost('krake-hooks')).toBeUndefined();
    expect(certificate.checkHost('krake-hooks-callbacks.krake-system.svc')).toBeUndefined();
    expect(certificate.checkIP('10.1.2.4')).toBeUndefined();
    expect(leaf.notAfter).toBe(now - 789 + 24 * HOUR);
  });

  it('never outlives its CA', async () => {
    const ca = await issueCa({ now, lifetimeMs: HOUR });
    const leaf = await issueServingCertificate(ca, names, { now, lifetimeMs: 24 * HOUR });
    expect(leaf.notAfter).toBe(ca.notAfter);
  });

  it('has a new key each time', async () => {
    const ca = await issueCa({ now, lifetimeMs: HOUR });
    const [one, two] = await Promise.all(
      [1, 2].map(() => issueServingCertificate(ca, names, { now, lifetimeMs: HOUR })),
    );
    expect(one?.key).not.toBe(two?.key);
  });

  it('refuses to make one without names', async () => {
    const ca = await issueCa({ now, lifetimeMs: HOUR });
    const none = { dnsNames: [], ipAddresses: [] };
    await expect(issueServingCertificate(ca, none, { now, lifetimeMs: HOUR })).rejects.toThrow(
      'at least one DNS name',
    );
  });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl)
  console.warn('SKIPPED: openssl is not installed, so its opinion of our certificates was not asked');

(hasOpenssl ? describe : describe.skip)('openssl verify', () => {
  it('accepts a leaf with its CA beside an older CA, as a TLS server of that name, and refuses another name and another CA', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'krake-hooks-pki-'));
    try {
      const ca = await issueCa({ now, lifetimeMs: HOUR });
      const other = await issueCa({ now, lifetimeMs: HOUR });
      const leaf = await issueServingCertificate(ca, names, { now, lifetimeMs: HOUR });
      const write = (file: string, text: string): string => {
        writeFileSync(join(dir, file), text);
        return join(dir, file);
      };
      const leafFile = write('leaf.pem', leaf.cert);
      const verify = (bundle: string, host: string): string =>
        execFileSync(
          'openssl',
          [
            ...['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', String((now / 1_000) | 0)],
            ...['-verify_hostname', host, '-CAfile', bundle, leafFile],
          ],
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
        );
      const both = write('both.pem', other.cert + ca.cert);
      expect(verify(both, 'hooks.example.org')).toContain('OK');
      expect(() => verify(both, 'other.example.org')).toThrow('hostname mismatch');
      expect(() => verify(write('other.pem', other.cert), 'hooks.example.org')).toThrow('unable to get');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
