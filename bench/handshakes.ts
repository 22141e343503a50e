import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClientCertificateSigner } from '../src/pki/clients/sign-client-certificate.ts';
import { issueCa } from '../src/pki/issue-certificate.ts';
import { writeCertificate } from './certificate.ts';
import { cpuSecondsOf } from './cpu-seconds.ts';
import { median, printTable, type Verdict } from './report.ts';
import { startServer, type ServerProcess } from './server-process.ts';

const PARALLEL = 16;
const HOUR_MS = 3_600_000;
const UID = '6f1f7c1e-0000-4000-8000-000000000001';
const PATH = '/kubernetes/namespaces/shop/applications/web/complete';
const BODY = JSON.stringify({ token: 'a-token-for-handshakes' });

interface Run {
  readonly perSecond: number;
  /** Of the server. */
  readonly cpuMs: number;
}

/**
 * New connections with a client certificate, one PUT on each: the callbacks, which prove token and certificate, against a bare node:https server with the
 * same TLS settings. The client costs as much as the server, so what the server spends on each is measured too.
 */
export async function benchHandshakes(quick: boolean): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { certFile, keyFile, certPem } = await writeCertificate(directory);
  const ca = await issueCa({ now: Date.now(), lifetimeMs: 2 * HOUR_MS });
  const certificate = new X509Certificate(ca.cert);
  const signing = { certificate, key: createPrivateKey(ca.key), notAfter: ca.notAfter };
  const client = await createClientCertificateSigner(signing, 'benchmark').sign(
    { namespace: 'shop', name: 'web', uid: UID },
    { now: Date.now(), lifetimeMs: HOUR_MS },
  );
  const caFile = join(directory, 'client-ca.crt');
  writeFileSync(caFile, ca.cert);
  const start = (kind: string) =>
    startServer('handshake-server.ts', [kind, certFile, keyFile, caFile, UID, client.sha256]);
  const servers = { ours: await start('ours'), bare: await start('bare') };
  const runs: Record<keyof typeof servers, Run[]> = { ours: [], bare: [] };
  const [rounds, each] = quick ? [3, 400] : [10, 1_000];
  try {
    for (let round = -1; round < rounds; round++) {
      for (const kind of ['bare', 'ours'] as const) {
        const run = await connectTimes(servers[kind], each, certPem, client);
        if (round >= 0) runs[kind].push(run); // the first round warms both up
      }
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
  const of = (kind: keyof typeof servers, what: keyof Run) => median(runs[kind].map((run) => run[what]));
  // By round, since what the machine does besides falls on both in the same round.
  const ratio = (what: keyof Run) =>
    median(runs.ours.map((run, i) => run[what] / (runs.bare[i]?.[what] ?? Number.NaN)));
  printTable(
    `Handshakes with a client certificate, ${PARALLEL} at once, ${rounds} rounds of ${each}`,
    ['what', '1/s', 'CPU ms of the server', 'rate of bare', 'CPU of bare'],
    [
      ['bare node:https', of('bare', 'perSecond'), of('bare', 'cpuMs'), 1, 1],
      [
        'callbacks, proof and answer included',
        of('ours', 'perSecond'),
        of('ours', 'cpuMs'),
        ratio('perSecond'),
        ratio('cpuMs'),
      ],
    ],
  );
  return [
    {
      what: 'handshakes with client certificate/s against bare node:https',
      measured: ratio('perSecond'),
      target: 0.8,
      better: 'higher',
    },
  ];
}

async function connectTimes(
  { port, pid }: ServerProcess,
  times: number,
  ca: string,
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
): Promise<Run> {
  let left = times;
  const worker = async () => {
    while (left-- > 0) await put({ port, ca, cert: certPem, key: keyPem });
  };
  const cpuBefore = cpuSecondsOf(pid);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { perSecond: times / seconds, cpuMs: ((cpuSecondsOf(pid) - cpuBefore) / times) * 1_000 };
}

function put(tls: {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}) {
  return new Promise<void>((resolve, reject) => {
    const headers = { 'Content-Length': Buffer.byteLength(BODY) };
    request({ ...tls, host: '127.0.0.1', path: PATH, method: 'PUT', agent: false, headers }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${response.statusCode ?? 0} instead of 200`));
      });
    })
      .on('error', reject)
      .end(BODY);
  });
}
