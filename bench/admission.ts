import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startContenders, type Contender } from './contenders.ts';
import { runLoad, type LoadResult } from './load.ts';
import { realisticReview } from './realistic-review.ts';
import { median, printTable, type Verdict } from './report.ts';

const CONNECTIONS = [1, 16, 64] as const;

/** Reviews per second and latency of the listener alone, against the same answer given by a bare server and by express. */
export async function benchAdmission(quick: boolean): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { contenders } = await startContenders(directory);
  const rounds = quick ? 1 : 3;
  const seconds = quick ? 2 : 4;
  const verdicts: Verdict[] = [];
  try {
    for (const contender of contenders) await measure(contender, 16, 2, false); // warm the JIT of all alike
    for (const reconnect of [false, true]) {
      const rows: (string | number)[][] = [];
      for (const connections of reconnect ? [16] : CONNECTIONS) {
        const results = await takeTurns(contenders, rounds, (c) =>
          measure(c, connections, seconds, reconnect),
        );
        const floor = perSecond(results.get('bare node:https'));
        for (const [name, runs] of results) {
          const ratio = perSecond(runs) / floor;
          rows.push([
            name,
            String(connections),
            perSecond(runs),
            med(runs, 'p50Ms'),
            med(runs, 'p95Ms'),
            med(runs, 'p99Ms'),
            ratio,
          ]);
          if (name === 'krake-hooks' && connections === 16) {
            const what = `reviews/s against bare node:https, 16 connections${reconnect ? ', a handshake each' : ''}`;
            verdicts.push({ what, measured: ratio, target: 0.7, better: 'higher' });
          }
        }
      }
      const title = `Admission listener, 7 KB pod, ${reconnect ? 'a new connection for each review' : 'connections kept'}`;
      printTable(
        title,
        ['server', 'connections', 'reviews/s', 'p50 ms', 'p95 ms', 'p99 ms', 'of bare'],
        rows,
      );
    }
  } finally {
    for (const { server } of contenders) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  return verdicts;
}

/** A B C A B C …, so that a slow moment of the machine meets all of them. */
async function takeTurns(
  contenders: readonly Contender[],
  rounds: number,
  run: (contender: Contender) => Promise<LoadResult>,
): Promise<Map<Contender['name'], LoadResult[]>> {
  const results = new Map<Contender['name'], LoadResult[]>(contenders.map((c) => [c.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) results.get(contender.name)?.push(await run(contender));
  }
  return results;
}

async function measure(
  { name, url }: Contender,
  connections: number,
  seconds: number,
  reconnect: boolean,
): Promise<LoadResult> {
  const body = realisticReview('7f0c8d5e-6a1b-4c3d-9e2f-000000000001');
  const result = await runLoad({ url, method: 'POST', body, connections, seconds, reconnect });
  if (result.failures > 0)
    throw new Error(`${name}: ${result.failures} requests failed at ${connections} connections`);
  return result;
}

const perSecond = (runs: readonly LoadResult[] | undefined): number =>
  median((runs ?? []).map((run) => run.perSecond));
const med = (runs: readonly LoadResult[], key: 'p50Ms' | 'p95Ms' | 'p99Ms'): number =>
  median(runs.map((run) => run[key]));
