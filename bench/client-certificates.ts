import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeCertificate } from './certificate.ts';
import { issueInProcess, type IssuingWay } from './issuing-process.ts';
import { runLoad } from './load.ts';
import { realisticReview } from './realistic-review.ts';
import { median, printTable, type Verdict } from './report.ts';
import { startServer } from './server-process.ts';

const CONNECTIONS = 16;
const TARGET_PER_SECOND = 300;
/** A controller has run for long when it issues: the start of the process and its warming up are not measured. */
const START_SECONDS = 2;

/** Certificates per second on one core beside the library's plain way, and what issuing does to admission in a process of its own. */
export async function benchClientCertificates(quick: boolean): Promise<Verdict[]> {
  const rounds = quick ? 1 : 5;
  return [...(await benchIssuing(rounds, quick ? 1 : 3)), ...(await benchAdmission(rounds, quick ? 2 : 4))];
}

async function benchIssuing(rounds: number, seconds: number): Promise<Verdict[]> {
  const ways: readonly IssuingWay[] = ['krake-hooks', 'library'];
  const results = new Map(ways.map((way) => [way, [] as { perSecond: number; cpuUs: number }[]]));
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const issued = await issueInProcess({ way, seconds, pinned: true });
      results.get(way)?.push(issued);
    }
  }
  const of = (way: IssuingWay, key: 'perSecond' | 'cpuUs') =>
    median((results.get(way) ?? []).map((each) => each[key]));
  printTable(
    'Client certificates, ECDSA P-256, key and PEM included, process held to one core',
    ['way', 'certificates/s', 'cpu µs each', 'of the library'],
    ways.map((way) => [
      way === 'library' ? '@peculiar/x509, its plain way' : way,
      of(way, 'perSecond'),
      of(way, 'cpuUs'),
      of(way, 'perSecond') / of('library', 'perSecond'),
    ]),
  );
  const measured = of('krake-hooks', 'perSecond');
  return [
    { what: 'client certificates/s on one core', measured, target: TARGET_PER_SECOND, better: 'higher' },
    {
      what: '  the same, of the library’s plain way',
      measured: measured / of('library', 'perSecond'),
      target: 1,
      better: 'higher',
    },
  ];
}

/** Quiet, then while another process issues at the target's speed, in turns. */
async function benchAdmission(rounds: number, seconds: number): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { certFile, keyFile } = await writeCertificate(directory);
  const server = await startServer('ours-server.ts', [certFile, keyFile]);
  const load = {
    url: `https://127.0.0.1:${server.port}/mutate`,
    method: 'POST',
    body: realisticReview('7f0c8d5e-6a1b-4c3d-9e2f-000000000001'),
    connections: CONNECTIONS,
  } as const;
  const run = async (forSeconds: number) => {
    const result = await runLoad({ ...load, seconds: forSeconds });
    if (result.failures > 0) throw new Error(`${result.failures} reviews failed`);
    return result;
  };
  const rows: { quietMs: number; busyMs: number; perSecond: number }[] = [];
  try {
    await run(2); // warm the JIT
    for (let round = 0; round < rounds; round++) {
      const quiet = await run(seconds);
      const issuing = issueInProcess({
        way: 'krake-hooks',
        seconds: seconds + START_SECONDS,
        pinned: false,
        perSecond: TARGET_PER_SECOND,
      });
      await sleep(START_SECONDS * 1_000);
      const busy = await run(seconds);
      const { perSecond } = await issuing;
      rows.push({ quietMs: quiet.p99Ms, busyMs: busy.p99Ms, perSecond });
    }
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  // Of the medians: a single p99 is too restless to be divided by another.
  const ratio = median(rows.map(({ busyMs }) => busyMs)) / median(rows.map(({ quietMs }) => quietMs));
  printTable(
    `Admission p99 at ${CONNECTIONS} connections while certificates are issued in another process`,
    ['', 'p99 ms', 'certificates/s'],
    [
      ['quiet', median(rows.map(({ quietMs }) => quietMs)), '–'],
      ['issuing', median(rows.map(({ busyMs }) => busyMs)), median(rows.map(({ perSecond }) => perSecond))],
    ],
  );
  return [
    {
      what: `admission p99 at ${CONNECTIONS} connections while ${TARGET_PER_SECOND} certificates/s are issued, of quiet`,
      measured: ratio,
      target: 1.2,
      better: 'lower',
    },
  ];
}
