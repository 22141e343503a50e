import { setTimeout as sleep } from 'node:timers/promises';
import { measureGate } from './gate.ts';
import { percentile, printTable, type Verdict } from './report.ts';
import { delayOf, measureAtOnce } from './shutdown-at-once.ts';
import { NAMESPACE, reactions, startCrowd, untilGone, type Crowd } from './shutdown-crowd.ts';

/** One at a time: from the goodbye's answer until the ReplicaSet is gone, as a watch of our own sees it. */
const SINGLES = { quick: 30, full: 150 };
const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' };
const FLOOR = 'floor';
const SINGLE_MS = 500;
const CONVERSATIONS = { quick: 200, full: 1_000 };
/**
 * The slowest application, the others are spread evenly below it; 60 s is as long as one may take that has not asked for more, 180 s one that has much to save:
 * what the service adds is about the same for all of them.
 */
const SLOWEST_SECONDS = { quick: [20], full: [20, 60, 180] };

/** The conversation: how soon the goodbye is followed by the removal, and what many conversations at once take. */
export async function benchShutdown(quick: boolean): Promise<Verdict[]> {
  const gate = await measureGate(quick);
  const crowd = await startCrowd((name) => ({
    // A single one says goodbye when the call is long over, so that it is met by a controller that waits.
    goodbyeAfterMs: delayOf(name) ?? SINGLE_MS,
    answersLate: false,
  }));
  const size = quick ? 'quick' : 'full';
  try {
    await crowd.startController();
    await measureSingles(crowd, SINGLES[size]);
    const verdicts = [...gate];
    for (const [index, slowest] of SLOWEST_SECONDS[size].entries()) {
      if (index > 0) await crowd.startController();
      verdicts.push(await measureAtOnce(crowd, CONVERSATIONS[size], slowest));
    }
    return verdicts;
  } finally {
    await crowd.stop();
  }
}

async function measureSingles(crowd: Crowd, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `single-${i}`);
  await crowd.add(names);
  const wholeMs: number[] = [];
  const floorMs: number[] = [];
  await crowd.client.create(CONFIG_MAPS, NAMESPACE, { metadata: { name: FLOOR } });
  for (const name of names) {
    const startedAt = performance.now();
    await crowd.delete([name]);
    await untilGone(crowd, [name], 30_000);
    wholeMs.push((crowd.goneAt.get(name) ?? Number.NaN) - startedAt);
    await sleep(20);
    floorMs.push(await writeOnce(crowd));
  }
  const afterMs = reactions(crowd, names, crowd.services.conversations);
  printTable(
    'One conversation at a time, ms',
    ['', 'p50', 'p99'],
    [
      ['one write to the API server, in between', percentile(floorMs, 50), percentile(floorMs, 99)],
      ['goodbye stored → removal accepted', percentile(afterMs, 50), percentile(afterMs, 99)],
      [
        `deletion asked for → removal accepted, of it ${SINGLE_MS} ms of the service's own`,
        percentile(wholeMs, 50),
        percentile(wholeMs, 99),
      ],
    ],
  );
}

/** What the machine makes of the least that there is, in ms. */
async function writeOnce({ client }: Crowd): Promise<number> {
  const ref = { resource: CONFIG_MAPS, namespace: NAMESPACE, name: FLOOR };
  const startedAt = performance.now();
  await client.patch(ref, { type: 'merge', body: { data: { at: String(startedAt) } } });
  return performance.now() - startedAt;
}
