import { setTimeout as sleep } from 'node:timers/promises';
import { apiServerCpuSeconds, countRequests, since } from './api-requests.ts';
import { measureGate } from './gate.ts';
import { percentile, printTable, type Verdict } from './report.ts';
import { NAMESPACE, startCrowd, type Crowd } from './shutdown-crowd.ts';

/** One at a time: from the goodbye's answer until the ReplicaSet is gone, as a watch of our own sees it. */
const SINGLES = { quick: 30, full: 150 };
const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' };
const FLOOR = 'floor';
const SINGLE_MS = 500;
const CONVERSATIONS = { quick: 200, full: 1_000 };
/** The slowest application; the others are spread evenly below it. */
const SLOWEST_MS = 20_000;

/** The conversation: how soon the goodbye is followed by the removal, and what many conversations at once take. */
export async function benchShutdown(quick: boolean): Promise<Verdict[]> {
  const gate = await measureGate(quick);
  const crowd = await startCrowd((name) => ({ goodbyeAfterMs: delayOf(name), answersLate: false }));
  const size = quick ? 'quick' : 'full';
  try {
    await crowd.startController();
    await measureSingles(crowd, SINGLES[size]);
    return [...gate, ...(await measureCrowd(crowd, CONVERSATIONS[size]))];
  } finally {
    await crowd.stop();
  }
}

/** `single-…` says goodbye when the call is long over, so that it is met by a controller that waits; `many-I-N` after its part of the slowest's time. */
function delayOf(name: string): number {
  const [kind, index, count] = name.split('-');
  return kind === 'many' ? (SLOWEST_MS * (Number(index) + 1)) / Number(count) : SINGLE_MS;
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
  const afterMs = reactions(crowd, names);
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

async function measureCrowd(crowd: Crowd, count: number): Promise<Verdict[]> {
  const names = Array.from({ length: count }, (_, i) => `many-${i}-${count}`);
  await crowd.add(names);
  const before = await leastHeapMb(crowd, 5);
  const cpuBefore = await metricOf(crowd, 'process_cpu_seconds_total');
  const requestsBefore = await countRequests(crowd.controlPlane);
  const apiCpuBefore = await apiServerCpuSeconds(crowd.controlPlane);
  const startedAt = performance.now();
  await crowd.delete(names);
  const deletedMs = performance.now() - startedAt;
  // While most are waited for.
  const heap = leastHeapMb(crowd, 6);
  await untilGone(crowd, names, 600_000);
  const lastMs = Math.max(...names.map((name) => crowd.goneAt.get(name) ?? Number.NaN)) - startedAt;
  const during = await heap;
  const apiCpu = (await apiServerCpuSeconds(crowd.controlPlane)) - apiCpuBefore;
  await sleep(3_000);
  const requests = since(requestsBefore, await countRequests(crowd.controlPlane));

  const cpu = (await metricOf(crowd, 'process_cpu_seconds_total')) - cpuBefore;

  const calls = crowd.services.conversations.filter(({ application }) => application.includes('many-'));
  const askedMs = calls.map(({ askedAtMs }) => askedAtMs - startedAt);
  const afterMs = reactions(crowd, names);
  const total = [...requests.values()].reduce((sum, n) => sum + n, 0);
  const kbEach = ((during - before) * 1024) / count;
  const over = lastMs / SLOWEST_MS - 1;
  printTable(
    `${count} conversations at once, the slowest takes ${SLOWEST_MS / 1_000} s`,
    ['', ''],
    [
      ['deletions sent, s', deletedMs / 1_000],
      ['the last was asked after, s', Math.max(...askedMs) / 1_000],
      ['all gone after, s', lastMs / 1_000],
      ['over the slowest, %', over * 100],
      ['goodbye stored → removal accepted, p50 ms', percentile(afterMs, 50)],
      ['goodbye stored → removal accepted, p99 ms', percentile(afterMs, 99)],
      ['calls for each application', calls.length / count],
      ['controller heap before, MB', before],
      ['controller heap while they wait, MB', during],
      ['heap for each conversation, KB', kbEach],
      ['processor time of the controller for each, ms', (cpu / count) * 1_000],
      ['processor time of the API server for each, ms', (apiCpu / count) * 1_000],
      ['requests to the API server for each (the benchmark sends 2 of them)', total / count],
    ],
  );
  printTable(
    'Requests to the API server for each conversation',
    ['what', 'each'],
    [...requests].filter(([, n]) => n >= count / 10).map(([what, n]) => [what, n / count]),
  );
  return [
    {
      what: `${count} shutdowns at once, over the slowest`,
      measured: over * 100,
      target: 10,
      better: 'lower',
      unit: ' %',
    },
  ];
}

function reactions(crowd: Crowd, names: readonly string[]): number[] {
  const saidAt = new Map(
    crowd.services.conversations.map(
      ({ application, goodbye }) => [application.replace('replicaset-', ''), goodbye?.answeredAtMs] as const,
    ),
  );
  return names.map((name) => (crowd.goneAt.get(name) ?? Number.NaN) - (saidAt.get(name) ?? Number.NaN));
}

async function untilGone({ goneAt }: Crowd, names: readonly string[], timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!names.every((name) => goneAt.has(name))) {
    if (performance.now() > deadline)
      throw new Error(`${names.filter((name) => !goneAt.has(name)).length} are still there`);
    await sleep(2);
  }
}

/** Of some seconds; what is held, and not what waits to be collected. */
async function leastHeapMb(crowd: Crowd, seconds: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < seconds * 2; i++) {
    least = Math.min(least, (await metricOf(crowd, 'nodejs_heap_size_used_bytes')) / 2 ** 20);
    await sleep(500);
  }
  return least;
}

async function metricOf(crowd: Crowd, name: string): Promise<number> {
  const { text } = await crowd.controller().get('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}
