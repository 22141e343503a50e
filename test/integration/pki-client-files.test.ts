import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parseCertificates } from '../../src/pki/certificate.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { makeOperatorCa, writeFiles, type OperatorCa } from '../unit/pki/operator-files.ts';
import { startPkiClientSetting, TIMING, type PkiClientSetting } from './pki-client-setting.ts';

jest.setTimeout(300_000);
const never = new AbortController().signal;
const identity = { namespace: 'shop', name: 'deployment-web', uid: '7f0c8d5e-6a1b-4c3d-9e2f-000000000001' };

let setting: PkiClientSetting;
let root: OperatorCa;
let first: OperatorCa;
let second: OperatorCa;
let dir: string;
beforeAll(async () => {
  setting = await startPkiClientSetting();
  root = await makeOperatorCa({ name: 'root' });
  first = await makeOperatorCa({ name: 'first', by: root, pathLength: 0 });
  second = await makeOperatorCa({ name: 'second', by: root, pathLength: 0, kind: 'RSA' });
}, 600_000);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'krake-hooks-files-'));
});
afterEach(async () => {
  await setting.clear();
  await rm(dir, { recursive: true, force: true });
});
afterAll(() => setting.stop());

const place = ({ cert, key }: OperatorCa) =>
  writeFiles(dir, { intermediateCert: cert, intermediateKey: key, rootsFile: root.cert });
const leafOf = (certPem: string) => new X509Certificate(parseCertificates(certPem)[0]?.raw ?? '');
const idOf = ({ cert }: OperatorCa) =>
  new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();

describe('an operator’s intermediate, from files', () => {
  it('signs in place of ours; its files are followed, both trusted', async () => {
    // What the first has signed is still good when the second signs.
    const { issuer } = setting.replica({ ...place(first), lifetime: 30_000 });
    const trust = setting.trust();
    await trust.start(never);
    await issuer.start(never);
    expect(issuer.issuerSha256()).toBe(idOf(first));
    expect(await setting.readSecret()).toBeUndefined();
    const former = await issuer.issue(identity);
    await waitFor('callbacks to know it', () => (trust.verify(leafOf(former.certPem)).ok ? true : undefined));
    expect(parseCertificates(issuer.chainPem())).toHaveLength(2);

    // Half of a change, as somebody copies one file after the other: what signs stays, with an error.
    await writeFile(join(dir, 'intermediateKey'), second.key);
    await new Promise((resolve) => setTimeout(resolve, 3 * TIMING.trustDelay));
    expect(issuer.issuerSha256()).toBe(idOf(first));

    const changedAt = Date.now();
    await writeFile(join(dir, 'intermediateCert'), second.cert);
    await waitFor('both to be trusted', () =>
      parseCertificates(trust.caPem()).length === 3 ? true : undefined,
    );
    await waitFor('the second to sign', () => (issuer.issuerSha256() === idOf(second) ? true : undefined));
    expect(Date.now() - changedAt).toBeGreaterThanOrEqual(TIMING.trustDelay);
    const latter = await issuer.issue(identity);
    for (const { certPem } of [former, latter]) {
      expect(trust.verify(leafOf(certPem))).toEqual({ ok: true, identity });
    }
    await waitFor('the end of the first', () => (trust.verify(leafOf(former.certPem)).ok ? undefined : true));
    expect(Date.now()).toBeGreaterThanOrEqual(former.notAfter);
    const last = await issuer.issue(identity);
    expect(trust.verify(leafOf(last.certPem)).ok).toBe(true);
  });

  it('says of damaged files what is wrong, and takes them when they are right', async () => {
    const { issuer, logger } = setting.replica(place(first));
    await issuer.start(never);
    await writeFile(join(dir, 'intermediateKey'), second.key);
    // The file may be read before it is whole: that is another error.
    const line = await waitFor('the error', () =>
      logger.lines.find(
        ({ level, fields }) => level === 'error' && String(fields?.error).includes('does not belong'),
      ),
    );
    expect(line.fields?.error).toContain('intermediateKey');
    expect(line.fields?.error).toContain('the private key does not belong to the certificate');
    expect(JSON.stringify(logger.lines)).not.toContain('PRIVATE');
    expect(issuer.ready()).toBe(true);
    await issuer.issue(identity);
  });

  it('refuses to start with what cannot sign, and names it', async () => {
    const leafOnly = await makeOperatorCa({ name: 'leaf', by: root, pathLength: null });
    const { issuer } = setting.replica(place({ ...leafOnly, key: first.key }));
    await expect(issuer.start(never)).rejects.toThrow(
      /it is no CA certificate.*; .*the private key does not belong/,
    );
    expect(issuer.ready()).toBe(false);
  });

  it('that has ended lets the controller start: it is not ready, says so, and signs when its successor is there', async () => {
    const ended = await makeOperatorCa({ name: 'ended', by: root, pathLength: 0, until: Date.now() - 1_000 });
    const { issuer, logger } = setting.replica(place(ended));
    await issuer.start(never);
    expect(issuer.ready()).toBe(false);
    expect(issuer.issuerNotAfter()).toBeLessThan(Date.now());
    await expect(issuer.issue(identity)).rejects.toThrow('has expired');
    const line = await waitFor('the error', () => logger.lines.find(({ level }) => level === 'error'));
    expect(line.message).toContain('has ended');
    place(first);
    await waitFor('the successor to sign', () =>
      issuer.ready() && issuer.issuerSha256() === idOf(first) ? true : undefined,
    );
    expect(issuer.issuerNotAfter()).toBeGreaterThan(Date.now());
    expect((await issuer.issue(identity)).issuerSha256).toBe(idOf(first));
  });

  it('comes after our own, and what that signed is taken until it has ended', async () => {
    const own = setting.replica({ lifetime: 18_000 });
    await own.issuer.start(never);
    const former = await own.issuer.issue(identity);
    await own.issuer.stop();
    const { issuer } = setting.replica(place(first));
    const trust = setting.trust();
    await trust.start(never);
    await issuer.start(never);
    await waitFor('callbacks to know both', () =>
      parseCertificates(trust.caPem()).length === 4 ? true : undefined,
    );
    for (const { certPem } of [former, await issuer.issue(identity)]) {
      expect(trust.verify(leafOf(certPem))).toEqual({ ok: true, identity });
    }
  });

  it('a certificate by the operator’s root itself is no application’s', async () => {
    const { issuer } = setting.replica(place(first));
    const trust = setting.trust();
    await trust.start(never);
    await issuer.start(never);
    await waitFor('callbacks to know it', () => (trust.ready() ? true : undefined));
    expect(trust.verify(new X509Certificate(second.cert))).toEqual({ ok: false, reason: 'unknown-issuer' });
  });
});
