import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, getCACertificates, setDefaultCACertificates, type ConnectionOptions } from 'node:tls';
import { createHttpsListener, type ClientFailure, type Listener } from '../../../src/http/index.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { createMemoryLogger } from '../pki/fakes.ts';
import { verdictOf } from '../pki/verdict-of.ts';
import { issueClient } from '../../cluster/client-certificate.ts';
import { createTestTls, until } from './listener-setting.ts';

const HOUR_MS = 3_600_000;
const started: Listener[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((listener) => listener.stop()));
});

async function setUp(options: { readonly caPem?: string } = {}) {
  const ca = await issueCa({ now: Date.now(), lifetimeMs: 2 * HOUR_MS });
  const tls = await createTestTls();
  const logger = createMemoryLogger();
  const failures: ClientFailure[] = [];
  let served = 0;
  const trust = { pem: options.caPem ?? ca.cert, change: (): void => undefined };
  const listener = createHttpsListener({
    name: 'test',
    host: '127.0.0.1',
    port: 0,
    tls,
    clients: {
      handshake: 'refuse',
      trust: {
        caPem: () => trust.pem,
        onChange(changed) {
          trust.change = changed;
          return () => undefined;
        },
      },
    },
    limits: { idleGraceMs: 50, drainTimeoutMs: 1_000 },
    onRequest(_request, response) {
      served++;
      response.end('served');
    },
    logger,
    metrics: {
      connectionRefused: () => undefined,
      clientFailed: (_listener, failure) => void failures.push(failure),
    },
  });
  await listener.start(new AbortController().signal);
  started.push(listener);
  /** What comes back for a request; empty: nothing. */
  async function ask(client: ConnectionOptions): Promise<string> {
    const socket = connect({ port: listener.port(), host: '127.0.0.1', ca: tls.ca, ...client });
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.write('POST /mutate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    if (!socket.closed) await once(socket, 'close').catch(() => undefined);
    return answer;
  }
  const warnings = () => logger.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields);
  return { ca, tls, listener, failures, trust, ask, warnings, served: () => served };
}

describe('a listener that refuses unknown clients', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'serves one with a certificate of the CA (%s)',
    async (maxVersion) => {
      const { ca, ask } = await setUp();
      expect(await ask({ ...(await issueClient(ca, 'api')), maxVersion })).toContain('served');
    },
  );

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (maxVersion) => {
    it.each([
      ['no certificate', () => Promise.resolve({}), 'no certificate'],
      [
        'a certificate of another CA',
        async () => issueClient(await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS }), 'api'),
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ],
    ])('refuses %s, tells why and serves nothing', async (_what, client, reason) => {
      const { ask, failures, warnings, served } = await setUp();
      expect(await ask({ ...(await client()), maxVersion })).toBe('');
      await until(() => failures.length > 0);
      expect(failures).toEqual(['certificate']);
      expect(warnings()).toEqual([{ listener: 'test', reason, times: 1 }]);
      expect(served()).toBe(0);
    });
  });

  it('refuses an expired one and one for servers only', async () => {
    const { ca, ask, failures, warnings, served } = await setUp();
    const expired = await issueClient(ca, 'api', { notAfter: Date.now() - 1_000 });
    const names = { dnsNames: ['api'], ipAddresses: [] };
    const server = await issueServingCertificate(ca, names, { now: Date.now(), lifetimeMs: HOUR_MS });
    expect(await ask(expired)).toBe('');
    expect(await ask({ cert: server.cert, key: server.key })).toBe('');
    await until(() => failures.length > 1);
    expect(warnings().map((fields) => fields?.['reason'])).toEqual(['CERT_HAS_EXPIRED', 'INVALID_PURPOSE']);
    expect(served()).toBe(0);
  });

  it('tells of many refusals once', async () => {
    const { ask, failures, warnings } = await setUp();
    await Promise.all(Array.from({ length: 5 }, () => ask({})));
    await until(() => failures.length === 5);
    expect(warnings()).toHaveLength(1);
  });

  it('knows nobody without a CA, not even those that public CAs know', async () => {
    const usual = getCACertificates('default');
    const { ca, ask, trust, served } = await setUp({ caPem: '' });
    const client = await issueClient(ca, 'api');
    try {
      setDefaultCACertificates([ca.cert]);
      trust.change();
      expect(await ask(client)).toBe('');
    } finally {
      setDefaultCACertificates(usual);
    }
    expect(served()).toBe(0);
    trust.pem = ca.cert;
    trust.change();
    expect(await ask(client)).toContain('served');
  });

  it('follows the CA', async () => {
    const { ca, ask, trust } = await setUp();
    const other = await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS });
    const [before, after] = [await issueClient(ca, 'api'), await issueClient(other, 'api')];
    trust.pem = ca.cert + other.cert;
    trust.change();
    expect(await ask(before)).toContain('served');
    expect(await ask(after)).toContain('served');
    trust.pem = other.cert;
    trust.change();
    expect(await ask(before)).toBe('');
    expect(await ask(after)).toContain('served');
  });

  it('verifies for the self-check, which shows no certificate', async () => {
    const { tls, listener } = await setUp();
    const target = { host: '127.0.0.1', port: listener.port(), servername: 'localhost' };
    for (let i = 0; i < 50; i++) {
      expect(await verdictOf({ ...target, caPem: tls.ca })).toEqual({ ok: true });
    }
    const other = await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS });
    expect(await verdictOf({ ...target, caPem: other.cert })).toMatchObject({ ok: false });
  });
});
