import { setTimeout as sleep } from 'node:timers/promises';
import {
  apiServerCpuSeconds,
  countRequests,
  since,
  untilEventsDrained,
  type RequestCounts,
} from './api-requests.ts';
import { cpuSecondsOf } from './cpu-seconds.ts';
import { startPlainServices } from './plain-services.ts';
import { percentile, printTable, type Verdict } from './report.ts';
import { startServer } from './server-process.ts';
import { NAMESPACE, reactions, untilGone, type Asked, type Crowd } from './shutdown-crowd.ts';

/** What many conversations at once have taken. */
interface Run {
  readonly deletedMs: number;
  readonly askedMs: number;
  readonly goneMs: number;
  readonly overPercent: number;
  readonly reactionsMs: readonly number[];
  readonly callsEach: number;
  /** Of whoever makes the conversations. */
  readonly cpuMsEach: number;
  readonly apiServerCpuMsEach: number;
  readonly requestsEach: RequestCounts;
}

interface Heap {
  readonly beforeMb: number;
  readonly waitingMb: number;
}

interface Way {
  readonly names: readonly string[];
  readonly slowest: number;
  readonly conversations: readonly Asked[];
  readonly cpuSeconds: () => Promise<number> | number;
  readonly whileTheyWait?: () => Promise<void>;
}

/** Ours, then the floor in its place: the same number on the same control plane, deleted in the same order. No controller is left. */
export async function measureAtOnce(crowd: Crowd, count: number, slowest: number): Promise<Verdict> {
  const { run: ours, heap } = await measureOurs(crowd, namesOf('many', slowest, count), slowest);
  const floor = await measureFloor(crowd, namesOf('floor', slowest, count), slowest);
  printRuns(`${count} conversations at once, the slowest takes ${slowest} s`, ours, floor);
  printTable(
    `The controller's heap with ${count} conversations, the slowest takes ${slowest} s`,
    ['', ''],
    [
      ['before, MB', heap.beforeMb],
      ['while they wait, MB', heap.waitingMb],
      ['for each, KB', ((heap.waitingMb - heap.beforeMb) * 1_024) / count],
    ],
  );
  return {
    what: `${count} shutdowns at once, over the slowest of ${slowest} s`,
    measured: ours.overPercent,
    target: 10,
    better: 'lower',
    unit: ' %',
  };
}

function namesOf(kind: 'many' | 'floor', slowest: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${slowest}-${index}-${count}`);
}

/** From the call to the goodbye: its part of the slowest's time. Undefined: it is none of these. */
export function delayOf(name: string): number | undefined {
  const [kind, slowest, index, count] = name.split('-');
  if (kind !== 'many' && kind !== 'floor') return undefined;
  return (Number(slowest) * 1_000 * (Number(index) + 1)) / Number(count);
}

async function measureOurs(
  crowd: Crowd,
  names: readonly string[],
  slowest: number,
): Promise<{ readonly run: Run; readonly heap: Heap }> {
  await prepare(crowd, names);
  const beforeMb = await leastHeapMb(crowd, 5);
  let waitingMb = Number.NaN;
  const run = await measure(crowd, {
    ...{ names, slowest, conversations: crowd.services.conversations },
    cpuSeconds: () => metricOf(crowd, 'process_cpu_seconds_total'),
    async whileTheyWait() {
      waitingMb = await leastHeapMb(crowd, 6);
    },
  });
  return { run, heap: { beforeMb, waitingMb } };
}

/** The controller makes what there is to let go, and has ended before it goes. */
async function measureFloor(crowd: Crowd, names: readonly string[], slowest: number): Promise<Run> {
  await prepare(crowd, names);
  await crowd.controller().end('SIGTERM');
  const services = await startPlainServices(
    (application) => delayOf(application.replace('replicaset-', '')) ?? 0,
  );
  const { kubeconfig } = crowd.controlPlane;
  const floor = await startServer('shutdown-floor.ts', [kubeconfig, NAMESPACE, services.url], 'inherit');
  try {
    const { conversations } = services;
    return await measure(crowd, { names, slowest, conversations, cpuSeconds: () => cpuSecondsOf(floor.pid) });
  } finally {
    await floor.stop();
    await services.stop();
  }
}

async function prepare(crowd: Crowd, names: readonly string[]): Promise<void> {
  // Of the measurement before, too: beside them those that follow would be too many, and be dropped.
  await untilEventsDrained(crowd.controlPlane);
  await crowd.add(names);
  await untilEventsDrained(crowd.controlPlane);
}

async function measure(crowd: Crowd, way: Way): Promise<Run> {
  const { names, conversations } = way;
  const askedBefore = conversations.length;
  const cpuBefore = await way.cpuSeconds();
  const requestsBefore = await countRequests(crowd.controlPlane);
  const apiCpuBefore = await apiServerCpuSeconds(crowd.controlPlane);
  const startedAt = performance.now();
  await crowd.delete(names);
  const deletedMs = performance.now() - startedAt;
  const meanwhile = way.whileTheyWait?.();
  await untilGone(crowd, names, 600_000);
  await meanwhile;
  const apiCpu = (await apiServerCpuSeconds(crowd.controlPlane)) - apiCpuBefore;
  await sleep(3_000);
  const requests = since(requestsBefore, await countRequests(crowd.controlPlane));
  const cpu = (await way.cpuSeconds()) - cpuBefore;

  const calls = conversations.slice(askedBefore);
  const goneMs = Math.max(...names.map((name) => crowd.goneAt.get(name) ?? Number.NaN)) - startedAt;
  return {
    deletedMs,
    askedMs: Math.max(...calls.map(({ askedAtMs }) => askedAtMs)) - startedAt,
    goneMs,
    overPercent: (goneMs / (way.slowest * 1_000) - 1) * 100,
    reactionsMs: reactions(crowd, names, calls),
    callsEach: calls.length / names.length,
    cpuMsEach: (cpu / names.length) * 1_000,
    apiServerCpuMsEach: (apiCpu / names.length) * 1_000,
    requestsEach: new Map([...requests].map(([what, n]) => [what, n / names.length])),
  };
}

function printRuns(title: string, ours: Run, floor: Run): void {
  const row = (what: string, of: (run: Run) => number) => [what, of(ours), of(floor)];
  printTable(
    title,
    ['', 'ours', 'floor'],
    [
      row('deletions sent, s', ({ deletedMs }) => deletedMs / 1_000),
      row('the last was asked after, s', ({ askedMs }) => askedMs / 1_000),
      row('all gone after, s', ({ goneMs }) => goneMs / 1_000),
      row('over the slowest, %', ({ overPercent }) => overPercent),
      ['of it the floor, %', (floor.overPercent / ours.overPercent) * 100, ''],
      row('goodbye stored → removal accepted, p50 ms', ({ reactionsMs }) => percentile(reactionsMs, 50)),
      row('goodbye stored → removal accepted, p99 ms', ({ reactionsMs }) => percentile(reactionsMs, 99)),
      row('calls for each application', ({ callsEach }) => callsEach),
      row('processor time of the controller, or the floor, for each, ms', ({ cpuMsEach }) => cpuMsEach),
      row('processor time of the API server for each, ms', ({ apiServerCpuMsEach }) => apiServerCpuMsEach),
      row('requests to the API server for each (the benchmark sends 2 of them)', ({ requestsEach }) =>
        [...requestsEach.values()].reduce((sum, n) => sum + n, 0),
      ),
    ],
  );
  const kinds = new Set([...ours.requestsEach.keys(), ...floor.requestsEach.keys()]);
  printTable(
    'Requests to the API server for each conversation',
    ['what', 'ours', 'floor'],
    [...kinds]
      .map((what) => row(what, ({ requestsEach }) => requestsEach.get(what) ?? 0))
      .filter(([, ...each]) => each.some((n) => Number(n) >= 0.1)),
  );
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
