import { createServer, type Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { CertificateWithKey } from '../../../src/pki/certificate.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { createServingCheck } from '../../../src/pki/serving-check.ts';
import { waitFor } from '../../cluster/wait-for.ts';
import { createMemoryLogger } from './fakes.ts';
import { verdictOf } from './verdict-of.ts';

const HOUR = 3_600_000;
const servername = 'hooks.krake-system.svc';
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function serve(): Promise<{ ca: CertificateWithKey; other: CertificateWithKey; port: number }> {
  const now = Date.now();
  const ca = await issueCa({ now, lifetimeMs: HOUR });
  const other = await issueCa({ now, lifetimeMs: HOUR });
  const names = { dnsNames: [servername], ipAddresses: [] };
  const leaf = await issueServingCertificate(ca, names, { now, lifetimeMs: HOUR });
  const server = createServer({ cert: leaf.cert, key: leaf.key });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { ca, other, port: (server.address() as AddressInfo).port };
}

describe('verifyServing', () => {
  it('verifies the certificate, the name and the CA', async () => {
    const { ca, other, port } = await serve();
    const target = { host: '127.0.0.1', port, servername, caPem: ca.cert };
    expect(await verdictOf(target)).toEqual({ ok: true });
    expect(await verdictOf({ ...target, caPem: other.cert + ca.cert })).toEqual({ ok: true });
    expect(await verdictOf({ ...target, caPem: other.cert })).toMatchObject({ ok: false });
    expect(await verdictOf({ ...target, caPem: '' })).toMatchObject({ ok: false });
    expect(await verdictOf({ ...target, caPem: 'nonsense' })).toMatchObject({ ok: false });
    expect(await verdictOf({ ...target, servername: 'else.test' })).toMatchObject({ ok: false });
    expect(await verdictOf({ ...target, port: 1 })).toMatchObject({ ok: false });
  });
});

describe('createServingCheck', () => {
  it('is ready only while every bundle verifies; a single failure does not end it', async () => {
    const { ca, other, port } = await serve();
    let bundles: string[] | Error = [other.cert];
    const check = createServingCheck(
      {
        logger: createMemoryLogger(),
        caBundles: () => (bundles instanceof Error ? Promise.reject(bundles) : Promise.resolve(bundles)),
      },
      { listener: 'x', host: '127.0.0.1', port: () => port, servername, intervalMs: 5, retryIntervalMs: 5 },
    );
    const stop = new AbortController();
    const until = async (ready: boolean): Promise<void> => {
      await waitFor('the check', () => (check.ready() === ready ? true : undefined), { intervalMs: 2 });
    };
    await check.start(stop.signal);
    await waitFor('the first check', () => check.reason()?.includes('no CA of the bundle') || undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(check.ready()).toBe(false);
    expect(check.reason()).toMatch(/no CA of the bundle/);
    bundles = [other.cert + ca.cert, ca.cert];
    await until(true);
    expect(check.reason()).toBeUndefined();
    bundles = new Error('API server away');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(check.ready()).toBe(true);
    bundles = [ca.cert, other.cert];
    await until(false);
    bundles = [ca.cert];
    await until(true);
    bundles = [];
    await until(false);
    await check.stop();
  });
});
