import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  buildData,
  identifyCertificate,
  isBundleInOrder,
  readContents,
  type CertificateFiles,
} from '../../../src/applications/secret-contents.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';

const NAMES = { dnsNames: ['web'], ipAddresses: [] };
const VALIDITY = { now: Date.parse('2026-01-01T00:00:00Z'), lifetimeMs: 3_600_000 };
let files: CertificateFiles;
let others: CertificateFiles;

async function issue(): Promise<CertificateFiles> {
  const ca = await issueCa(VALIDITY);
  const { cert, key } = await issueServingCertificate(ca, NAMES, VALIDITY);
  return { certPem: cert + ca.cert, keyPem: key };
}

beforeAll(async () => {
  [files, others] = [await issue(), await issue()];
});

describe('what is in a Secret', () => {
  it('is read as it was written, and keys of others stay', () => {
    const data = buildData({ token: 'canary', certificate: files }, 'bundle', {
      extra: 'eA==',
      token: 'b2xk',
    });
    expect(Object.keys(data).sort()).toEqual(['ca-bundle.pem', 'cert.pem', 'extra', 'key.pem', 'token']);
    expect(readContents(data)).toEqual({ token: 'canary', certificate: files });
  });

  it('has certificate and key, or neither', () => {
    const { 'key.pem': key = '', ...rest } = buildData({ token: 'canary', certificate: files }, 'bundle');
    expect(key).not.toBe('');
    expect(readContents(rest).certificate).toBeUndefined();
    expect(readContents({ ...rest, 'key.pem': '' }).certificate).toBeUndefined();
  });

  it('is the CA bundle alone with a pod identity', () => {
    const full = buildData({ token: 'canary', certificate: files }, 'bundle');
    const bare = buildData({ token: undefined, certificate: undefined }, 'bundle', full);
    expect(Object.keys(bare)).toEqual(['ca-bundle.pem']);
    expect(isBundleInOrder(bare, 'bundle', 'pod-identity')).toBe(true);
    expect(isBundleInOrder(full, 'bundle', 'pod-identity')).toBe(false);
    expect(isBundleInOrder(full, 'bundle', 'token')).toBe(true);
    expect(isBundleInOrder(full, 'another', 'token')).toBe(false);
  });
});

describe('a certificate', () => {
  it('is known by its hash and that of its issuer', () => {
    const known = identifyCertificate(files);
    expect(known?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(known?.issuerSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(known?.issuerSha256).not.toBe(known?.sha256);
  });

  it.each<[string, () => CertificateFiles]>([
    ['the key of another one', () => ({ ...files, keyPem: others.keyPem })],
    [
      'no intermediate',
      () => ({ ...files, certPem: files.certPem.slice(0, files.certPem.indexOf('-----END') + 26) }),
    ],
    [
      'an intermediate that is damaged',
      () => {
        const end = files.certPem.lastIndexOf('-----END');
        return { ...files, certPem: files.certPem.slice(0, end - 9) + files.certPem.slice(end - 1) };
      },
    ],
    ['nothing that is a certificate', () => ({ ...files, certPem: 'canary' })],
    ['nothing that is a key', () => ({ ...files, keyPem: 'canary' })],
  ])('is damaged with %s', (_what, damaged) => {
    expect(damaged()).not.toEqual(files);
    expect(identifyCertificate(damaged())).toBeUndefined();
  });
});
