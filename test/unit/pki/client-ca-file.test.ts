import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createClientCaFile } from '../../../src/pki/client-ca-file.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { advanceToEndOfPoll, createManualClock, createMemoryLogger } from './fakes.ts';

const HOUR = 3_600_000;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'krake-hooks-client-ca-'));
});
afterEach(() => rm(dir, { recursive: true }));

function setUp() {
  const clock = createManualClock();
  const logger = createMemoryLogger();
  const file = join(dir, 'ca.crt');
  const clientCa = createClientCaFile({ clock, logger }, { file, key: 'admission.clientCaFile' });
  const issue = (lifetimeMs = 10 * HOUR) => issueCa({ now: clock.now(), lifetimeMs });
  const poll = () => advanceToEndOfPoll(clock, 10_000);
  return { clock, logger, file, clientCa, issue, poll, signal: new AbortController().signal };
}

describe('createClientCaFile', () => {
  it('reads the CAs that are valid, and follows the file', async () => {
    const { file, clientCa, issue, poll, signal } = setUp();
    const [one, two] = [await issue(), await issue()];
    await writeFile(file, `# a comment\n${one.cert}`);
    let changes = 0;
    clientCa.onChange(() => changes++);
    await clientCa.start(signal);
    expect(clientCa.caPem()).toBe(one.cert);
    await writeFile(file, one.cert + two.cert);
    await poll();
    expect(clientCa.caPem()).toBe(one.cert + two.cert);
    expect(changes).toBe(2);
    await clientCa.stop();
  });

  it('keeps what it has when the file is damaged, and says so', async () => {
    const { file, clientCa, issue, poll, signal, logger } = setUp();
    const { cert } = await issue();
    await writeFile(file, cert);
    await clientCa.start(signal);
    await writeFile(file, '');
    await poll();
    expect(clientCa.caPem()).toBe(cert);
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error' });
    expect(JSON.stringify(logger.lines.at(-1))).toContain('holds no CA certificate');
    await clientCa.stop();
  });

  it('does not start without a CA that is valid, and names key and file', async () => {
    const { file, clientCa, issue, signal, clock } = setUp();
    await expect(clientCa.start(signal)).rejects.toThrow(
      `admission.clientCaFile: ${file} cannot be read (ENOENT)`,
    );
    const ca = await issue();
    const names = { dnsNames: ['x'], ipAddresses: [] };
    const leaf = await issueServingCertificate(ca, names, { now: clock.now(), lifetimeMs: HOUR });
    await writeFile(file, leaf.cert);
    await expect(clientCa.start(signal)).rejects.toThrow('holds a certificate that is no CA');
    await writeFile(file, (await issue(-1)).cert);
    await expect(clientCa.start(signal)).rejects.toThrow('holds no CA certificate that is valid now');
  });
});
