import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../test/cluster/cluster.ts';
import { findFault } from '../test/cluster/running-cluster.ts';
import { clusterDir, fromEnvironment } from '../test/cluster/settings.ts';
import { whyNoNode } from '../test/cluster/why-no-node.ts';
import { ensureInstalled, harness, startCluster, waitForRollout } from '../test/e2e/installation.ts';
import { startPodsOnNode, type Deletion, type PodsOnNode } from './pods-on-node.ts';
import { median, medianRatio, percentile, printTable, type Verdict } from './report.ts';

const NAMESPACE = 'hooks-bench-gate';
const CONFIGURATION = ['validatingwebhookconfiguration', 'krake-hooks-gate'] as const;
const WEBHOOK = 'pods.gate.hooks.krake.dev';
const REPLICAS = 8;
/** After this the node has done what a successor's start makes it do after it is ready. */
const SETTLED_MS = 500;

const VARIANTS = ['no gate', 'gate open'] as const;
type Variant = (typeof VARIANTS)[number];
type Runs = Readonly<Record<Variant, (readonly Deletion[])[]>>;

/** What the gate adds to the whole deletion of a pod that runs on a node, with it and without it in the same run. */
export async function benchGateOnNode(quick: boolean): Promise<Verdict[]> {
  const reason = whyNotHere();
  if (reason !== undefined) return skip(reason);
  const wasUp = (await findFault(clusterDir())) === undefined;
  try {
    const cluster = await startCluster();
    if (!cluster.capabilities.node) return skip('the local cluster has no node');
    await ensureInstalled(cluster);
    const [rounds, count] = quick ? [2, 5] : [5, 12];
    return tell(await unlessInterrupted((signal) => measure(cluster, rounds, count, signal)));
  } finally {
    if (!wasUp) await harness('down');
  }
}

function whyNotHere(): string | undefined {
  if (fromEnvironment('CONTEXT') !== undefined)
    return 'it takes the gate away for a while, which is nothing for a cluster that CONTEXT names';
  return whyNoNode();
}

function skip(reason: string): Verdict[] {
  console.warn(`SKIPPED: nothing was measured on a node: ${reason}`);
  return [];
}

/** Ctrl-C must leave neither a cluster without its gate nor one that nobody takes down. */
async function unlessInterrupted<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const end = (name: NodeJS.Signals): void => controller.abort(new Error(`ended by ${name}`));
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    return await run(controller.signal);
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

async function measure(cluster: Cluster, rounds: number, count: number, signal: AbortSignal): Promise<Runs> {
  const configuration = await readConfiguration(cluster);
  const pods = await startPodsOnNode(cluster, NAMESPACE, REPLICAS);
  const runs: Runs = { 'no gate': [], 'gate open': [] };
  try {
    for (let round = -1; round < rounds; round++) {
      // Each time the other way round, so that neither always has the machine as the other left it.
      for (const variant of round % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
        await (variant === 'no gate' ? takeAway(cluster) : putBack(cluster, configuration));
        const run = await runVariant(cluster, pods, variant, round < 0 ? 2 : count, signal);
        // The first round warms all up.
        if (round >= 0) runs[variant].push(run);
      }
    }
    return runs;
  } finally {
    await putBack(cluster, configuration).finally(() => pods.stop());
  }
}

async function runVariant(
  cluster: Cluster,
  pods: PodsOnNode,
  variant: Variant,
  count: number,
  signal: AbortSignal,
): Promise<readonly Deletion[]> {
  const before = await countAsked(cluster);
  const deletions: Deletion[] = [];
  for (let i = 0; i < count; i++) {
    await pods.untilComplete();
    await sleep(SETTLED_MS);
    signal.throwIfAborted();
    deletions.push(await pods.deleteOne(i / count));
  }
  const asked = (await countAsked(cluster)) - before;
  const expected = variant === 'no gate' ? 0 : count;
  if (asked !== expected)
    throw new Error(`${variant}: the API server asked the gate ${asked} times about ${count} deletions`);
  return deletions;
}

/** How often the API server has asked the gate about the deletion of a pod. */
async function countAsked(cluster: Cluster): Promise<number> {
  const line = /^apiserver_admission_webhook_admission_duration_seconds_count\{(.*)\} (\S+)$/gm;
  return [...(await cluster.metricsText()).matchAll(line)]
    .filter(([, labels]) => labels?.includes(`name="${WEBHOOK}"`))
    .reduce((sum, [, , value]) => sum + Number(value), 0);
}

interface Configuration {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** As it can be created again, with its caBundle. */
async function readConfiguration(cluster: Cluster): Promise<Configuration> {
  const { stdout } = await cluster.kubectl(['get', ...CONFIGURATION, '-o', 'json']);
  const found = JSON.parse(stdout) as Configuration;
  const { name, labels = {}, annotations = {} } = found.metadata;
  return { ...found, metadata: { name, labels, annotations } };
}

async function takeAway(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['delete', ...CONFIGURATION, '--ignore-not-found']);
  await untilSeen();
}

/** Does nothing where it is. */
async function putBack(cluster: Cluster, configuration: Configuration): Promise<void> {
  const { stdout } = await cluster.kubectl(['get', ...CONFIGURATION, '--ignore-not-found', '-o', 'name']);
  if (stdout.trim() !== '') return;
  // Raw: otherwise kubectl writes the caBundle into its annotation of what was applied last, and the next apply takes it away.
  const args = ['create', '--raw', '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'];
  await cluster.kubectl([...args, '-f', '-'], { input: JSON.stringify(configuration) });
  // Without a configuration that names its CA the gate is not ready.
  await waitForRollout(cluster, 'gate');
  await untilSeen();
}

/** The API server learns of it by a watch; nothing tells when. */
async function untilSeen(): Promise<void> {
  await sleep(2_000);
}

function tell(runs: Runs): Verdict[] {
  const valuesOf = (variant: Variant, what: keyof Deletion) =>
    runs[variant].map((run) => run.map((deletion) => deletion[what]));
  const cost = (variant: Variant) =>
    medianRatio(valuesOf(variant, 'goneMs').map(median), valuesOf('no gate', 'goneMs').map(median));
  printTable(
    'Deletion of a pod on a node (ms): until the API server has accepted it, and until the pod is gone',
    ['', 'accepted p50', 'gone p50', 'gone p99', 'of no gate'],
    VARIANTS.map((variant) => {
      const gone = valuesOf(variant, 'goneMs').flat();
      const accepted = valuesOf(variant, 'acceptedMs').flat();
      return [variant, median(accepted), median(gone), percentile(gone, 99), cost(variant)];
    }),
  );
  return [
    {
      what: 'deletion of a pod on a node until it is gone, gate open, against no gate',
      measured: cost('gate open'),
      target: 1.2,
      better: 'lower',
    },
  ];
}
