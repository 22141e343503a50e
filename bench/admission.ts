import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSecondsOf } from './cpu-seconds.ts';
import { startContenders, type Contender } from './contenders.ts';
import { runLoad, type LoadResult } from './load.ts';
import { realisticReview } from './realistic-review.ts';
import { median, printTable, type Verdict } from './report.ts';

const CONNECTIONS = [1, 16, 64] as const;

interface Measurement extends LoadResult {
  /** Processor time of the server for one review, in microseconds: does not care how fast the client is, nor what else the machine does. */
  readonly cpuUs: number;
}

/** Reviews per second and latency of the listener alone, against the same answer given by a bare server and by express. */
export async function benchAdmission(quick: boolean): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { contenders } = await startContenders(directory);
  try {
    for (const contender of contenders) await measure(contender, 16, 2, false); // warm the JIT of all alike
    return [
      ...(await compare(contenders, quick, 'connections kept', CONNECTIONS, false)),
      ...(await compare(contenders, quick, 'a new connection for each review', [16], true)),
    ];
  } finally {
    for (const { server } of contenders) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compare(
  contenders: readonly Contender[],
  quick: boolean,
  title: string,
  connectionCounts: readonly number[],
  reconnect: boolean,
): Promise<Verdict[]> {
  const rows: (string | number)[][] = [];
  const verdicts: Verdict[] = [];
  for (const connections of connectionCounts) {
    const results = await takeTurns(contenders, quick ? 1 : 5, (c) =>
      measure(c, connections, quick ? 2 : 3, reconnect),
    );
    const bare = results.get('bare node:https') ?? [];
    for (const [name, runs] of results) {
      const ratio = median(runs.map((run, round) => run.perSecond / (bare[round]?.perSecond ?? Number.NaN)));
      const cpuRatio = med(bare, 'cpuUs') / med(runs, 'cpuUs');
      rows.push([
        name,
        String(connections),
        ...(['perSecond', 'p50Ms', 'p95Ms', 'p99Ms', 'cpuUs'] as const).map((key) => med(runs, key)),
        ratio,
        cpuRatio,
      ]);
      if (name !== 'krake-hooks') continue;
      const what = `${connections} connections, ${title}`;
      verdicts.push({
        what: `reviews/s of bare node:https, ${what}`,
        measured: ratio,
        target: 0.7,
        better: 'higher',
      });
      verdicts.push({
        what: `  the same by processor time`,
        measured: cpuRatio,
        target: 0.7,
        better: 'higher',
      });
    }
  }
  const header = [
    'server',
    'conns',
    'reviews/s',
    'p50 ms',
    'p95 ms',
    'p99 ms',
    'cpu µs',
    'of bare',
    'by cpu',
  ];
  printTable(`Admission listener, 7 KB pod, ${title}`, header, rows);
  return verdicts;
}

/** A B C A B C …, so that a slow moment of the machine meets all of them. */
async function takeTurns(
  contenders: readonly Contender[],
  rounds: number,
  run: (contender: Contender) => Promise<Measurement>,
): Promise<Map<Contender['name'], Measurement[]>> {
  const results = new Map<Contender['name'], Measurement[]>(contenders.map((c) => [c.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) results.get(contender.name)?.push(await run(contender));
  }
  return results;
}

async function measure(
  { name, url, server }: Contender,
  connections: number,
  seconds: number,
  reconnect: boolean,
): Promise<Measurement> {
  const body = realisticReview('7f0c8d5e-6a1b-4c3d-9e2f-000000000001');
  const before = cpuSecondsOf(server.pid);
  const result = await runLoad({ url, method: 'POST', body, connections, seconds, reconnect });
  const cpuUs = ((cpuSecondsOf(server.pid) - before) / result.successes) * 1e6;
  if (result.failures > 0)
    throw new Error(`${name}: ${result.failures} requests failed at ${connections} connections`);
  return { ...result, cpuUs };
}

const med = (runs: readonly Measurement[], key: keyof Measurement): number =>
  median(runs.map((run) => run[key]));
