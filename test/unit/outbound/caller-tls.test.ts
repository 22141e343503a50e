import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Resolution } from '../../../src/outbound/index.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { createTestCaller, createTestServers } from './caller-setting.ts';

const HOUR_MS = 3_600_000;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const NAME = 'receiver.shop.svc';

const servers = createTestServers();
let directory: string;
let caFile: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbound-tls-'));
  caFile = join(directory, 'ca.pem');
});
afterEach(async () => {
  await servers.stopAll();
  await rm(directory, { recursive: true });
});

function makeCa(now = Date.now()) {
  return issueCa({ now, lifetimeMs: 4 * HOUR_MS });
}

async function certificate(ca: Awaited<ReturnType<typeof makeCa>>, now = Date.now()) {
  const names = { dnsNames: [NAME], ipAddresses: ['127.0.0.2'] };
  const { cert, key } = await issueServingCertificate(ca, names, { now, lifetimeMs: HOUR_MS });
  return { cert, key };
}

/** A caller for which every name is 127.0.0.1. */
function caller(more: { readonly caFile?: string } = {}) {
  const resolveHost = () => Promise.resolve<Resolution>({ kind: 'addresses', addresses: ['127.0.0.1'] });
  return createTestCaller(more, { resolveHost });
}

jest.setTimeout(60_000);

describe('a call over TLS', () => {
  it('trusts the CA of the file and the name in the certificate', async () => {
    const ca = await makeCa();
    await writeFile(caFile, ca.cert);
    const seen: unknown[] = [];
    const server = await servers.https(await certificate(ca), (socket) => {
      const tls = socket as TLSSocket;
      seen.push(tls.getProtocol(), (tls as { servername?: unknown }).servername);
      socket.write(OK);
    });
    const { call, logger } = caller({ caFile });
    expect(await call(`https://${NAME}:${server.port}/`)).toMatchObject({ status: 200, body: 'ok' });
    expect(seen).toEqual(['TLSv1.3', NAME]);
    const connectTo = { address: '127.0.0.1', port: server.port };
    expect(await call(`https://${NAME}/`, { connectTo })).toMatchObject({ status: 200 });
    expect(await call('https://other/', { connectTo, servername: NAME })).toMatchObject({ status: 200 });
    expect(await call('https://127.0.0.2/', { connectTo })).toMatchObject({ status: 200 });
    await server.allClosed();
    expect(logger.lines).toEqual([]);
  });

  it.each([
    ['the name', 'https://another.shop.svc', undefined],
    ['the address', 'https://127.0.0.1', undefined],
    ['the name that is asked for', `https://${NAME}`, 'another.shop.svc'],
  ])('refuses a certificate without %s', async (_what, origin, servername) => {
    const ca = await makeCa();
    await writeFile(caFile, ca.cert);
    const requests: string[] = [];
    const server = await servers.https(await certificate(ca), (socket, request) => {
      requests.push(request);
      socket.write(OK);
    });
    const result = await caller({ caFile }).call(
      `${origin}:${server.port}/`,
      servername === undefined ? {} : { servername },
    );
    expect(result).toMatchObject({
      kind: 'failed',
      reason: 'tls',
      message: expect.stringContaining('another name'),
    });
    expect(requests).toEqual([]);
    await server.allClosed();
  });

  it('refuses a certificate of an unknown CA, and one that has expired', async () => {
    const long = Date.now() - 2.5 * HOUR_MS;
    const ca = await makeCa(long);
    const fresh = await servers.https(await certificate(ca), (socket) => socket.write(OK));
    const old = await servers.https(await certificate(ca, long), (socket) => socket.write(OK));
    expect(await caller().call(`https://${NAME}:${fresh.port}/`)).toMatchObject({
      reason: 'tls',
      message: expect.stringContaining('outbound.caFile'),
    });
    await writeFile(caFile, ca.cert);
    expect(await caller({ caFile }).call(`https://${NAME}:${old.port}/`)).toMatchObject({
      reason: 'tls',
      message: expect.stringContaining('expired'),
    });
    await Promise.all([fresh.allClosed(), old.allClosed()]);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const ca = await makeCa();
    await writeFile(caFile, ca.cert);
    const tls = await certificate(ca);
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const old = await servers.https(
      { ...tls, ciphers, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
      (socket) => socket.write(OK),
    );
    const newer = await servers.https({ ...tls, maxVersion: 'TLSv1.2' }, (socket) => socket.write(OK));
    const { call } = caller({ caFile });
    expect(await call(`https://${NAME}:${old.port}/`)).toMatchObject({ reason: 'tls' });
    expect(await caller().call(`https://${NAME}:${old.port}/`)).toMatchObject({
      reason: 'tls',
      message: expect.stringContaining('TLS 1.2'),
    });
    expect(await call(`https://${NAME}:${newer.port}/`)).toMatchObject({ status: 200 });
  });

  it('says when the other side speaks no TLS', async () => {
    const server = await servers.http((socket) => socket.write(OK));
    const result = await caller().call(`https://${NAME}:${server.port}/`, { connectTimeoutMs: 300 });
    expect(result).toMatchObject({ kind: 'failed' });
    expect(result.kind === 'failed' && ['tls', 'connect-timeout']).toContain(
      result.kind === 'failed' && result.reason,
    );
    await server.allClosed();
  });

  it('follows the CA file, also when it is replaced as a whole', async () => {
    const [first, second] = [await makeCa(), await makeCa()];
    const server = await servers.https(await certificate(second), (socket) => socket.write(OK));
    const { call, logger } = caller({ caFile });
    const url = `https://${NAME}:${server.port}/`;
    expect(await call(url)).toMatchObject({ reason: 'tls' });
    expect(await call(url)).toMatchObject({ reason: 'tls' });
    expect(logger.lines).toHaveLength(1); // the file is missing: told once
    await writeFile(caFile, first.cert);
    expect(await call(url)).toMatchObject({ reason: 'tls' });
    await writeFile(`${caFile}.next`, `${first.cert}\n${second.cert}`);
    await rename(`${caFile}.next`, caFile);
    expect(await call(url)).toMatchObject({ status: 200 });
    await writeFile(caFile, 'no certificate');
    expect(await call(url)).toMatchObject({ status: 200 });
    expect(logger.lines.map(({ level, fields }) => [level, fields['caFile']])).toEqual([
      ['warn', caFile],
      ['warn', caFile],
    ]);
  });
});
