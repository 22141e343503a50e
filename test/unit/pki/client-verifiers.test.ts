import { execFile, spawnSync } from 'node:child_process';
import { createServer, connect } from 'node:tls';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { CALLER_URI } from '../../../src/pki/clients/client-identity.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';
import { ensurePythonTools } from '../../tools/python-tools.ts';
import { HOUR, IDENTITY_URI, makeClientChain } from './client-chains.ts';

// What others think of our certificates. Each verifier gets the CAs that it is to trust and the chain that a client shows, and says yes or no.

jest.setTimeout(180_000);
const PROGRAMS = join(import.meta.dirname, '..', '..', 'testdata', 'pki');

interface Shown {
  readonly certPem: string;
  readonly keyPem: string;
}
interface Opinion {
  readonly accepted: boolean;
  readonly text: string;
}
interface Verifier {
  readonly name: string;
  readonly isThere: () => boolean;
  /** Anything to build first; resolves to the command without its arguments. */
  readonly prepare?: () => Promise<void>;
  readonly verify: (caPem: string, shown: Shown) => Promise<Opinion>;
}

let dir: string;
let count = 0;
function file(text: string): string {
  const path = join(dir, `${count++}.pem`);
  writeFileSync(path, text);
  return path;
}

function run(command: string, args: readonly string[]): Promise<Opinion> {
  return new Promise((resolve) => {
    execFile(command, args, { encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ accepted: error === null, text: `${stdout}${stderr}` });
    });
  });
}

const tools = await ensurePythonTools();
const answers = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

const VERIFIERS: readonly Verifier[] = [
  {
    name: 'OpenSSL',
    isThere: () => answers('openssl', 'version'),
    async verify(caPem, { certPem }) {
      const chain = file(certPem);
      const purpose = ['-x509_strict', '-purpose', 'sslclient', '-CAfile', file(caPem), '-untrusted', chain];
      const opinion = await run('openssl', ['verify', ...purpose, chain]);
      const { text } = await run('openssl', ['x509', '-in', chain, '-noout', '-ext', 'subjectAltName']);
      return { accepted: opinion.accepted, text: opinion.text + text };
    },
  },
  {
    name: 'Go',
    isThere: () => answers('go', 'version'),
    async prepare() {
      const built = await run('go', ['build', '-o', join(dir, 'verify'), join(PROGRAMS, 'verify.go')]);
      if (!built.accepted) throw new Error(built.text);
    },
    verify: (caPem, { certPem }) => run(join(dir, 'verify'), [file(caPem), file(certPem)]),
  },
  {
    name: 'Python cryptography',
    isThere: () => tools !== undefined,
    verify: (caPem, { certPem }) =>
      run(tools?.python ?? '', [join(PROGRAMS, 'verify.py'), file(caPem), file(certPem)]),
  },
  {
    name: 'Java',
    isThere: () => answers('java', '--version'),
    async prepare() {
      const built = await run('javac', ['-d', dir, join(PROGRAMS, 'Verify.java')]);
      if (!built.accepted) throw new Error(built.text);
    },
    verify: (caPem, { certPem }) => run('java', ['-cp', dir, 'Verify', file(caPem), file(certPem)]),
  },
  { name: 'Node, in a TLS handshake', isThere: () => true, verify: handshake },
];

let serving: { cert: string; key: string; ca: string };

/** Both sides for real. A server that refuses says nothing of why; so one that only tells is asked too. */
async function handshake(caPem: string, shown: Shown): Promise<Opinion> {
  const { accepted, text } = await shakeHands(caPem, shown, true);
  return accepted ? { accepted, text } : { accepted, text: (await shakeHands(caPem, shown, false)).text };
}

async function shakeHands(caPem: string, { certPem, keyPem }: Shown, refuses: boolean): Promise<Opinion> {
  const server = createServer({
    ...{ cert: serving.cert, key: serving.key, ca: caPem },
    requestCert: true,
    rejectUnauthorized: refuses,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const opinion = new Promise<Opinion>((resolve) => {
    server.once('secureConnection', (socket) => {
      const error = socket.authorizationError as Error | string | null;
      const name = socket.getPeerX509Certificate()?.subjectAltName;
      resolve({ accepted: socket.authorized, text: `${String(error)} ${name ?? ''}` });
      socket.on('error', () => undefined).destroy();
    });
    server.once('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      resolve({ accepted: false, text: error.code ?? error.message });
      socket.destroy();
    });
  });
  const client = connect({
    ...{ host: '127.0.0.1', port, servername: 'hooks.test', ca: serving.ca },
    ...{ cert: certPem, key: keyPem },
  });
  client.on('error', () => undefined).resume();
  try {
    return await opinion;
  } finally {
    client.destroy();
    server.close();
  }
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'krake-hooks-verifiers-'));
  const now = Date.now();
  const ca = await issueCa({ now, lifetimeMs: HOUR });
  const names = { dnsNames: ['hooks.test'], ipAddresses: [] };
  const leaf = await issueServingCertificate(ca, names, { now, lifetimeMs: HOUR });
  serving = { cert: leaf.cert, key: leaf.key, ca: ca.cert };
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each(VERIFIERS)('$name', ({ name, isThere, prepare, verify }) => {
  const isHere = isThere();
  if (!isHere) console.warn(`SKIPPED: ${name} is not on this machine, so its opinion was not asked`);
  const test = isHere ? it : it.skip;
  beforeAll(async () => {
    if (isHere) await prepare?.();
  });

  test('accepts an application by the CA alone, and by the bundle with all CAs and intermediates', async () => {
    const now = Date.now();
    const [chain, other] = [await makeClientChain(now), await makeClientChain(now)];
    const shown = await chain.issue();
    const bundle = other.intermediate + other.ca + chain.intermediate + chain.ca;
    for (const trusted of [chain.ca, bundle]) {
      const opinion = await verify(trusted, shown);
      expect(opinion.text).toContain(IDENTITY_URI);
      expect(opinion.accepted).toBe(true);
    }
  });

  test('accepts the controller, whose key is of another kind', async () => {
    const chain = await makeClientChain(Date.now());
    const { certificate, key } = await chain.caller();
    const shown = {
      certPem: certificate.toString() + chain.intermediate,
      keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
    const opinion = await verify(chain.ca, shown);
    expect(opinion.text).toContain(CALLER_URI);
    expect(opinion.accepted).toBe(true);
  });

  test('accepts one with an unusual common name, the longest names and a life beyond 2049', async () => {
    const now = Date.now();
    const chain = await makeClientChain(now, 40 * 365 * 24 * HOUR);
    const identity = { namespace: 'n'.repeat(63), name: `a.${'b'.repeat(61)}`, uid: 'u'.repeat(36) };
    const shown = await chain.issue({
      hookUser: 'Käse, "CN=x"; + \\ user',
      identity,
      lifetimeMs: 30 * 365 * 24 * HOUR,
    });
    const opinion = await verify(chain.ca, shown);
    expect(opinion.text).toContain('n'.repeat(63));
    expect(opinion.accepted).toBe(true);
  });

  test('refuses a certificate that is only for servers', async () => {
    const chain = await makeClientChain(Date.now());
    expect(await verify(chain.ca, await chain.issueServing())).toMatchObject({ accepted: false });
  });

  test('refuses one that has ended', async () => {
    const chain = await makeClientChain(Date.now() - 2 * HOUR);
    const shown = await chain.issue({ at: Date.now() - 2 * HOUR, lifetimeMs: HOUR });
    const opinion = await verify(chain.ca, shown);
    expect(opinion.accepted).toBe(false);
    expect(opinion.text).toMatch(/expired|valid at|EXPIRED|validity/i);
  });

  test('refuses one of another CA', async () => {
    const now = Date.now();
    const [chain, other] = [await makeClientChain(now), await makeClientChain(now)];
    expect(await verify(other.ca, await chain.issue())).toMatchObject({ accepted: false });
  });
});
