import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readIntermediateFiles, type IntermediateFile } from '../../../src/pki/clients/intermediate-files.ts';
import { parseIntermediate, type OperatorIntermediate } from '../../../src/pki/clients/parse-intermediate.ts';
import { createClientCertificateSigner } from '../../../src/pki/clients/sign-client-certificate.ts';
import { parseCertificates } from '../../../src/pki/certificate.ts';
import { ExtendedKeyUsage, KeyUsageFlags } from '../../../src/pki/x509.ts';
import { HOUR, IDENTITY } from './client-chains.ts';
import { encryptKey, forgePkcs12, makeOperatorCa, writeFiles, type OperatorCa } from './operator-files.ts';

jest.setTimeout(60_000);
const PASSPHRASE = 'marked-passphrase';
let dir: string;
let root: OperatorCa;
let otherRoot: OperatorCa;
let ec: OperatorCa;
let rsa: OperatorCa;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'krake-hooks-operator-'));
  root = await makeOperatorCa({ name: 'root', kind: 'RSA' });
  otherRoot = await makeOperatorCa({ name: 'other root' });
  ec = await makeOperatorCa({ name: 'intermediate', by: root, pathLength: 0 });
  rsa = await makeOperatorCa({ name: 'rsa intermediate', by: root, kind: 'RSA' });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Contents = Partial<Record<IntermediateFile, string | Buffer>>;

async function parse(contents: Contents): Promise<OperatorIntermediate> {
  return parseIntermediate(await readIntermediateFiles(writeFiles(dir, contents)), Date.now());
}

async function problemsOf(contents: Contents): Promise<string> {
  const error = await parse(contents).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  const text = `${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`;
  expect(text).not.toMatch(/PRIVATE KEY-----|marked-passphrase/);
  return (error as Error).message.replaceAll(`${dir}/`, '');
}

async function expectToSign(intermediate: OperatorIntermediate): Promise<void> {
  const signer = createClientCertificateSigner(intermediate, 'user');
  const { certPem } = await signer.sign(IDENTITY, { now: Date.now(), lifetimeMs: HOUR });
  const [leaf, issuer] = parseCertificates(certPem);
  if (leaf === undefined || issuer === undefined) throw new Error('no chain');
  expect(leaf.checkIssued(issuer)).toBe(true);
  expect(leaf.verify(issuer.publicKey)).toBe(true);
}

describe('parseIntermediate takes', () => {
  it.each<[string, () => Contents]>([
    ['EC in PEM', () => ({ intermediateCert: ec.cert, intermediateKey: ec.key, rootsFile: root.cert })],
    ['RSA in PEM', () => ({ intermediateCert: rsa.cert, intermediateKey: rsa.key, rootsFile: root.cert })],
    ['its root in the same file', () => ({ intermediateCert: ec.cert + root.cert, intermediateKey: ec.key })],
    [
      'an encrypted key',
      () => ({
        intermediateCert: ec.cert,
        intermediateKey: encryptKey(ec.key, PASSPHRASE),
        intermediatePassphraseFile: `${PASSPHRASE}\n`,
        rootsFile: otherRoot.cert + root.cert,
      }),
    ],
    [
      'a PKCS#12 file',
      () => ({
        intermediateCert: forgePkcs12(rsa, PASSPHRASE),
        intermediatePassphraseFile: PASSPHRASE,
        rootsFile: root.cert,
      }),
    ],
  ])('%s', async (_what, contents) => {
    const parsed = await parse(contents());
    expect(parsed.chain).toHaveLength(2);
    await expectToSign(parsed);
  });

  it('a P-384 key, by a longer chain', async () => {
    const middle = await makeOperatorCa({ name: 'middle', by: root, pathLength: 1 });
    const low = await makeOperatorCa({ name: 'low', by: middle, kind: 'P-384', pathLength: 0 });
    const parsed = await parse({
      intermediateCert: low.cert + middle.cert,
      intermediateKey: low.key,
      rootsFile: root.cert,
    });
    expect(parsed.chain).toHaveLength(3);
    await expectToSign(parsed);
  });

  const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
  if (!hasOpenssl)
    console.warn('SKIPPED: openssl is not installed, so no PKCS#12 file of its making was read');
  (hasOpenssl ? it : it.skip).each(['P-256', 'RSA'] as const)(
    'a PKCS#12 file of OpenSSL with a key on %s and the root in it',
    async (kind) => {
      const ca = kind === 'RSA' ? rsa : ec;
      const path = (name: string, text: string) => {
        writeFileSync(join(dir, name), text);
        return join(dir, name);
      };
      const out = join(dir, 'made.p12');
      execFileSync('openssl', [
        ...['pkcs12', '-export', '-out', out, '-passout', `pass:${PASSPHRASE}`],
        ...['-inkey', path('k', ca.key), '-in', path('c', ca.cert), '-certfile', path('r', root.cert)],
      ]);
      const parsed = await parse({
        intermediateCert: readFileSync(out),
        intermediatePassphraseFile: `${PASSPHRASE}\n`,
      });
      expect(parsed.certificate.subject).toContain(ca.name);
      await expectToSign(parsed);
    },
  );
});

describe('parseIntermediate refuses', () => {
  const CERT = 'pki.clientCertificates.intermediateCert (intermediateCert)';
  const KEY = 'pki.clientCertificates.intermediateKey (intermediateKey)';

  it.each<[string, Partial<Parameters<typeof makeOperatorCa>[0]>, string]>([
    ['no CA', { pathLength: null }, 'it is no CA certificate (basic constraints)'],
    [
      'a CA that may not sign',
      { usages: KeyUsageFlags.cRLSign },
      'it may not sign certificates (its key usage lacks keyCertSign)',
    ],
    [
      'a CA for servers only',
      { purposes: [ExtendedKeyUsage.serverAuth] },
      'it may not sign client certificates (its extended key usage lacks clientAuth)',
    ],
    ['one that has expired', { until: Date.UTC(2020, 0, 1) }, 'it expired 2020-01-01T00:00:00.000Z'],
    [
      'one that is not valid yet',
      { from: Date.UTC(2048, 0, 1), until: Date.UTC(2049, 0, 1) },
      'it is not valid before 2048-01-01T00:00:00.000Z',
    ],
  ])('%s', async (_what, options, problem) => {
    const ca = await makeOperatorCa({ name: 'wrong', by: root, ...options });
    expect(
      await problemsOf({ intermediateCert: ca.cert, intermediateKey: ca.key, rootsFile: root.cert }),
    ).toBe(`${CERT}: ${problem}`);
  });

  it('a path that is too long for a CA above it', async () => {
    const middle = await makeOperatorCa({ name: 'middle', by: root, pathLength: 0 });
    const low = await makeOperatorCa({ name: 'low', by: middle });
    const contents = { intermediateCert: low.cert + middle.cert, intermediateKey: low.key };
    expect(await problemsOf({ ...contents, rootsFile: root.cert })).toBe(
      `${CERT}: the CA above it, “CN=middle, O=Example”: it allows 0 intermediates below it (path length), and there are 1`,
    );
  });

  it('one that leads to another root', async () => {
    const contents = { intermediateCert: ec.cert, intermediateKey: ec.key };
    expect(await problemsOf({ ...contents, rootsFile: otherRoot.cert })).toContain(
      'it leads to no root CA: “CN=intermediate, O=Example” was signed by “CN=root, O=Example”; the issuer is not in pki.clientCertificates.rootsFile',
    );
    expect(await problemsOf(contents)).toContain('name a file with it in pki.clientCertificates.rootsFile');
    const withRoot = { ...contents, intermediateCert: ec.cert + root.cert };
    expect(await problemsOf({ ...withRoot, rootsFile: otherRoot.cert })).toContain(
      'it leads to “CN=root, O=Example”, which is not in pki.clientCertificates.rootsFile',
    );
  });

  it('a namesake of the root that has not signed it', async () => {
    const forged = await makeOperatorCa({ name: 'root' });
    const contents = { intermediateCert: ec.cert, intermediateKey: ec.key, rootsFile: forged.cert };
    expect(await problemsOf(contents)).toContain('it leads to no root CA');
  });

  it.each<[string, () => Contents, string]>([
    [
      'another certificate’s key',
      () => ({ intermediateCert: ec.cert, intermediateKey: rsa.key }),
      `${KEY}: the private key does not belong to the certificate`,
    ],
    [
      'no key',
      () => ({ intermediateCert: ec.cert }),
      `${CERT}: there is no private key in it; name its file in pki.clientCertificates.intermediateKey`,
    ],
    [
      'a damaged key',
      () => ({ intermediateCert: ec.cert, intermediateKey: ec.key.replace(/\n.{20}/, '\nAAAA') }),
      `${KEY}: the private key is damaged`,
    ],
    [
      'an encrypted key without a passphrase',
      () => ({ intermediateCert: ec.cert, intermediateKey: encryptKey(ec.key, PASSPHRASE) }),
      `${KEY}: the private key is encrypted; name the file with its passphrase in pki.clientCertificates.intermediatePassphraseFile`,
    ],
    [
      'a wrong passphrase',
      () => ({
        intermediateCert: ec.cert,
        intermediateKey: encryptKey(ec.key, PASSPHRASE),
        intermediatePassphraseFile: 'another',
      }),
      `${KEY}: the private key cannot be opened: the passphrase is wrong, or the file is damaged`,
    ],
    [
      'a wrong passphrase of a PKCS#12 file',
      () => ({ intermediateCert: forgePkcs12(rsa, PASSPHRASE), intermediatePassphraseFile: 'another' }),
      `${CERT}: cannot be opened as PKCS#12: the passphrase (pki.clientCertificates.intermediatePassphraseFile) is missing or wrong, or the file is damaged`,
    ],
    [
      'what is no certificate',
      () => ({ intermediateCert: 'nonsense', intermediateKey: ec.key }),
      `${CERT}: is neither PEM nor PKCS#12`,
    ],
    [
      'roots that are none',
      () => ({ intermediateCert: ec.cert + root.cert, intermediateKey: ec.key, rootsFile: 'nonsense' }),
      'pki.clientCertificates.rootsFile (rootsFile): there is no certificate in it',
    ],
  ])('%s', async (_what, contents, problem) => {
    const given = contents();
    expect(await problemsOf({ rootsFile: root.cert, ...given })).toBe(problem);
  });

  it('a key of a kind that is not taken', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const contents = { intermediateCert: ec.cert, intermediateKey: key, rootsFile: root.cert };
    expect(await problemsOf(contents)).toContain('the private key does not belong');
  });

  it('several problems at once, each with its file', async () => {
    const ca = await makeOperatorCa({
      ...{ name: 'wrong', by: otherRoot, until: Date.UTC(2020, 0, 1) },
      ...{ usages: KeyUsageFlags.cRLSign, purposes: [ExtendedKeyUsage.serverAuth] },
    });
    const found = await problemsOf({
      intermediateCert: ca.cert,
      intermediateKey: rsa.key,
      rootsFile: root.cert,
    });
    for (const problem of ['keyCertSign', 'clientAuth', 'expired', 'leads to no root', 'does not belong']) {
      expect(found).toContain(problem);
    }
  });

  it('files that are not there, all of them named', async () => {
    const paths = { intermediateCert: join(dir, 'no-cert'), rootsFile: join(dir, 'no-roots') };
    await expect(readIntermediateFiles(paths)).rejects.toThrow(
      /intermediateCert .*no-cert.*ENOENT.*; pki\.clientCertificates\.rootsFile .*no-roots.*ENOENT/,
    );
  });
});
