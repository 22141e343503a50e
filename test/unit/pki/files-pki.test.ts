import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CertificateWithKey } from '../../../src/pki/certificate.ts';
import { createFilesPki } from '../../../src/pki/files-pki.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { advanceToEndOfPoll, createManualClock, createMemoryLogger } from './fakes.ts';

const HOUR = 3_600_000;
const names = { dnsNames: ['hooks.test'], ipAddresses: ['10.0.0.1'] };
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'krake-hooks-files-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function setUp() {
  const clock = createManualClock();
  const logger = createMemoryLogger();
  const paths = {
    certFile: join(dir, 'tls.crt'),
    keyFile: join(dir, 'tls.key'),
    caFile: join(dir, 'ca.crt'),
  };
  const ca = await issueCa({ now: clock.now(), lifetimeMs: 100 * HOUR });
  const otherCa = await issueCa({ now: clock.now(), lifetimeMs: 100 * HOUR });
  const leaf = await issueServingCertificate(ca, names, { now: clock.now(), lifetimeMs: 10 * HOUR });
  const write = async (files: { leaf?: CertificateWithKey; cert?: string; key?: string; ca?: string }) => {
    const { cert = files.leaf?.cert, key = files.leaf?.key } = files;
    if (cert !== undefined) await writeFile(paths.certFile, cert);
    if (key !== undefined) await writeFile(paths.keyFile, key);
    if (files.ca !== undefined) await writeFile(paths.caFile, files.ca);
  };
  const pki = createFilesPki({ clock, logger }, paths);
  const stop = new AbortController();
  const poll = () => advanceToEndOfPoll(clock, 10_000);
  return { clock, logger, paths, ca, otherCa, leaf, write, pki, stop, poll };
}

describe('createFilesPki', () => {
  it('serves the files, and the valid certificates of the CA file as bundle', async () => {
    const { ca, otherCa, leaf, write, pki, stop, logger } = await setUp();
    await write({ leaf, ca: `# ours\n${ca.cert}\n\n# theirs\n${otherCa.cert}` });
    const source = pki.tlsSource(names);
    expect(() => source.current()).toThrow('not read yet');
    await pki.start(stop.signal);
    expect(source.current()).toEqual({ cert: leaf.cert, key: leaf.key });
    expect(pki.trustBundle.pem()).toBe(ca.cert + otherCa.cert);
    expect(pki.ready()).toBe(true);
    expect(pki.expiry()).toEqual({ caNotAfter: ca.notAfter, servingNotAfter: leaf.notAfter });
    expect(logger.lines.filter((line) => line.level !== 'info')).toEqual([]);
    await pki.stop();
  });

  it('takes new files that are valid, tells of it once, and is silent about files that are the same', async () => {
    const { clock, ca, otherCa, leaf, write, pki, stop, poll } = await setUp();
    await write({ leaf, ca: ca.cert });
    const source = pki.tlsSource(names);
    await pki.start(stop.signal);
    let changes = 0;
    let bundleChanges = 0;
    source.onChange(() => changes++);
    pki.trustBundle.onChange(() => bundleChanges++);
    await poll();
    expect([changes, bundleChanges]).toEqual([0, 0]);
    const now = clock.now();
    const renewed = await issueServingCertificate(otherCa, names, { now, lifetimeMs: HOUR });
    await write({ leaf: renewed, ca: ca.cert + otherCa.cert });
    await poll();
    expect(source.current().cert).toBe(renewed.cert);
    expect(pki.trustBundle.pem()).toBe(ca.cert + otherCa.cert);
    expect([changes, bundleChanges]).toEqual([1, 1]);
    await pki.stop();
  });

  it('keeps what it has when new files are bad, says why without any of the key, and recovers', async () => {
    const { ca, otherCa, leaf, write, pki, stop, poll, logger, paths } = await setUp();
    await write({ leaf, ca: ca.cert });
    const source = pki.tlsSource(names);
    await pki.start(stop.signal);
    const before = source.current();
    await write({ key: otherCa.key });
    await poll();
    await poll();
    expect(source.current()).toEqual(before);
    const errors = logger.lines.filter((line) => line.level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.fields?.error).toBe(
      `${paths.keyFile}: the private key does not belong to the certificate`,
    );
    expect(JSON.stringify(logger.lines)).not.toContain(otherCa.key.split('\n')[1]);
    await write({ key: leaf.key });
    await poll();
    expect(logger.lines.at(-1)?.message).toBe('works again');
    await pki.stop();
  });

  it('is not ready once the certificate has expired', async () => {
    const { clock, ca, leaf, write, pki, stop } = await setUp();
    await write({ leaf, ca: ca.cert });
    await pki.start(stop.signal);
    await clock.advance(11 * HOUR);
    expect(pki.ready()).toBe(false);
    await pki.stop();
  });

  it('warns of names that the certificate lacks', async () => {
    const { ca, leaf, write, pki, stop, logger } = await setUp();
    await write({ leaf, ca: ca.cert });
    pki.tlsSource({ dnsNames: ['hooks.test', 'else.test'], ipAddresses: ['10.0.0.2'] });
    await pki.start(stop.signal);
    expect(logger.lines.find((line) => line.level === 'warn')?.fields?.missing).toEqual([
      'else.test',
      '10.0.0.2',
    ]);
    await pki.stop();
  });

  const refusals: [string, string, (s: Awaited<ReturnType<typeof setUp>>) => Promise<void>][] = [
    ['a missing file', 'tls.crt cannot be read (ENOENT)', () => Promise.resolve()],
    ['an empty certificate file', 'tls.crt: there is no certificate', (s) => s.write({ cert: '' })],
    ['an empty CA file', 'ca.crt: there is no certificate', (s) => s.write({ ca: '' })],
    ['a damaged key', 'tls.key: the private key is damaged', (s) => s.write({ key: 'x' })],
    ['a CA that did not sign it', 'was not signed by a valid CA', (s) => s.write({ ca: s.otherCa.cert })],
    ['a certificate that has expired', 'tls.crt: the certificate expired', (s) => s.clock.advance(11 * HOUR)],
  ];
  it.each(refusals)('does not start with %s, and says what is wrong', async (name, message, damage) => {
    const setting = await setUp();
    if (name !== 'a missing file') await setting.write({ leaf: setting.leaf, ca: setting.ca.cert });
    await damage(setting);
    await expect(setting.pki.start(setting.stop.signal)).rejects.toThrow(message);
    expect(setting.pki.ready()).toBe(false);
  });
});
