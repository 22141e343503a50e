import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { APPLICATIONS } from '../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../src/contract/index.ts';
import { createKubeClient, type FullKubeClient } from '../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../test/cluster/control-plane.ts';
import { applyManifests, pointGateAt, startService } from '../test/integration/service.ts';
import { writeCertificate } from './certificate.ts';
import { inParallel } from './many-deployments.ts';
import { median, medianRatio, percentile, printTable, type Verdict } from './report.ts';
import { startServer } from './server-process.ts';

const NAMESPACE = 'shop';
const CONFIGURATION = 'validatingwebhookconfiguration/krake-hooks-gate';
const PARALLEL = 8;

/** The gate, a bare server under the same configuration that says yes to everything, or nobody. */
const WEBHOOKS = ['none', 'bare', 'gate'] as const;
type Webhook = (typeof WEBHOOKS)[number];

/** Whose pods are deleted, and who is asked. */
const VARIANTS = [
  { what: 'complete, no gate', hooks: 'complete', webhook: 'none' },
  { what: 'complete, gate (never meets it)', hooks: 'complete', webhook: 'gate' },
  { what: 'shutdown, no gate', hooks: 'shutdown', webhook: 'none' },
  { what: 'shutdown, a bare webhook', hooks: 'shutdown', webhook: 'bare' },
  { what: 'shutdown, gate open for it', hooks: 'shutdown', webhook: 'gate' },
] as const;

interface Run {
  readonly alone: readonly number[];
  readonly perSecond: number;
}

/** What the gate adds to the deletion of a pod: real deletions, of pods that no node has, with the webhooks, without them and with bare ones in the same run. */
export async function measureGate(quick: boolean): Promise<Verdict[]> {
  const controlPlane = await startControlPlane({
    extraControllerManagerArgs: ['--controllers=serviceaccount-controller,serviceaccount-token-controller'],
  });
  const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'bench/0' });
  const [rounds, count] = quick ? [3, 60] : [7, 150];
  try {
    await applyManifests(controlPlane);
    for (const kind of ['mutatingwebhookconfigurations', 'validatingadmissionpolicybindings'])
      await controlPlane.kubectl(['delete', kind, '--all']);
    await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
    await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
    await createApplication(client);
    const gate = await startService(controlPlane, { parts: ['gate'], set: { logLevel: 'error' } });
    await gate.untilReady();
    await pointGateAt(controlPlane, gate.gatePort);
    const { stdout } = await controlPlane.kubectl(['get', CONFIGURATION, '-o', 'json']);
    const ours = JSON.parse(stdout) as Configuration;
    const directory = await mkdtemp(join(tmpdir(), 'krake-hooks-bench-'));
    const { certFile, keyFile, certPem } = await writeCertificate(directory);
    const bare = await startServer('floor-server.ts', ['validating', certFile, keyFile]);
    const configurations: Record<Webhook, Configuration | undefined> = {
      none: undefined,
      bare: pointedAt(ours, `https://127.0.0.1:${bare.port}/validate`, certPem),
      gate: ours,
    };
    const runs = new Map<string, Run[]>(VARIANTS.map(({ what }) => [what, []]));
    try {
      for (let round = -1; round < rounds; round++) {
        // Each time the other way round, so that neither always has the machine as the other left it.
        for (const webhook of round % 2 === 0 ? WEBHOOKS : WEBHOOKS.toReversed()) {
          await configure(controlPlane, configurations[webhook]);
          // The first round warms all up.
          await runVariants(client, webhook, round < 0 ? 20 : count, round < 0 ? new Map() : runs);
        }
      }
    } finally {
      await gate.end('SIGKILL');
      await bare.stop();
      await rm(directory, { recursive: true });
    }
    return tell(runs);
  } finally {
    client.close();
    await controlPlane.stop();
  }
}

async function runVariants(
  client: FullKubeClient,
  webhook: Webhook,
  count: number,
  runs: ReadonlyMap<string, Run[]>,
): Promise<void> {
  for (const { what, hooks } of VARIANTS.filter((variant) => variant.webhook === webhook)) {
    const run = await deletePods(client, hooks, count);
    runs.get(what)?.push(run);
  }
}

function tell(runs: ReadonlyMap<string, readonly Run[]>): Verdict[] {
  const p50s = (what: string) => (runs.get(what) ?? []).map(({ alone }) => median(alone));
  const rates = (what: string) => (runs.get(what) ?? []).map(({ perSecond }) => perSecond);
  const floorOf = (what: string) => (what.startsWith('complete') ? 'complete, no gate' : 'shutdown, no gate');
  const cost = (what: string, floor = floorOf(what)) => medianRatio(p50s(what), p50s(floor));
  printTable(
    `Deletion of a pod, one at a time (ms) and ${PARALLEL} at once`,
    ['', 'p50', 'p99', 'of no gate', '1/s', 'of no gate'],
    VARIANTS.map(({ what }) => [
      what,
      median(p50s(what)),
      percentile(
        (runs.get(what) ?? []).flatMap(({ alone }) => alone),
        99,
      ),
      cost(what),
      median(rates(what)),
      medianRatio(rates(what), rates(floorOf(what))),
    ]),
  );
  return [
    {
      what: 'deletion of a pod with complete only, against no gate',
      measured: cost('complete, gate (never meets it)'),
      target: 1.2,
      better: 'lower',
    },
    {
      what: 'deletion of a pod with shutdown, gate open, against no gate',
      measured: cost('shutdown, gate open for it'),
      target: 1.2,
      better: 'lower',
    },
    {
      what: 'the same against a bare webhook that says yes',
      measured: cost('shutdown, gate open for it', 'shutdown, a bare webhook'),
      target: 1.2,
      better: 'lower',
    },
  ];
}

interface Configuration {
  readonly metadata: { readonly name: string };
  readonly webhooks: readonly object[];
}

function pointedAt(configuration: Configuration, url: string, caPem: string): Configuration {
  const clientConfig = { url, caBundle: Buffer.from(caPem).toString('base64') };
  return {
    ...configuration,
    // Another name: in its own configuration the service keeps its own CA.
    metadata: { name: 'bench-bare' },
    webhooks: configuration.webhooks.map((one) => ({ ...one, clientConfig })),
  };
}

/** The API server learns of it by a watch; nothing tells when. */
async function configure(controlPlane: ControlPlane, wanted: Configuration | undefined): Promise<void> {
  await controlPlane.kubectl(['delete', 'validatingwebhookconfigurations', '--all']);
  if (wanted !== undefined) {
    const object = { ...wanted, metadata: { name: wanted.metadata.name } };
    await controlPlane.kubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
  }
  await sleep(2_000);
}

async function createApplication(client: FullKubeClient): Promise<void> {
  await client.create(APPLICATIONS, NAMESPACE, {
    apiVersion: APPLICATIONS.apiVersion,
    kind: 'Application',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: { hooks: ['complete', 'shutdown'] },
  });
}

/** Its conversation is over and lets its pods go: the way that each deletion takes after a goodbye. */
async function letGo(client: FullKubeClient, pods: readonly Pod[]): Promise<void> {
  const at = new Date().toISOString();
  const over = {
    ...{
      id: 'conversation-1',
      scope: 'application',
      form: 'service',
      reason: 'deletion',
      round: 1,
      needed: 1,
    },
    ...{ startedAt: at, roundStartedAt: at, deadline: at, outcome: 'confirmed', endedAt: at, pods },
  };
  const shutdown = { sequence: 1, going: {}, conversations: [over] };
  await client.patch(
    { resource: APPLICATIONS, namespace: NAMESPACE, name: 'web', subresource: 'status' },
    { type: 'merge', body: { status: { shutdown } } },
  );
  // The gate learns of it by a watch.
  await sleep(500);
}

async function deletePods(client: FullKubeClient, hooks: string, count: number): Promise<Run> {
  const alone = await createPods(client, hooks, count);
  const timesMs: number[] = [];
  for (const pod of alone) {
    const startedAt = performance.now();
    await remove(client, pod);
    timesMs.push(performance.now() - startedAt);
  }
  const together = await createPods(client, hooks, count * 2);
  const startedAt = performance.now();
  await inParallel(together.length, PARALLEL, (i) => remove(client, together[i]));
  const seconds = (performance.now() - startedAt) / 1_000;
  return { alone: timesMs, perSecond: together.length / seconds };
}

interface Pod {
  readonly name: string;
  readonly uid: string;
}

async function createPods(client: FullKubeClient, hooks: string, count: number): Promise<Pod[]> {
  const pods: Pod[] = [];
  await inParallel(count, PARALLEL, async (i) => {
    const created = await client.create(WORKLOAD_KINDS.Pod, NAMESPACE, {
      metadata: {
        name: `pod-${i}`,
        labels: { 'hooks.krake.dev/application': 'web' },
        annotations: { 'hooks.krake.dev/hooks': hooks },
      },
      spec: { containers: [{ name: 'app', image: 'example.invalid/app' }] },
    });
    const status = { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] };
    const ref = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name: `pod-${i}` };
    await client.patch({ ...ref, subresource: 'status' }, { type: 'merge', body: { status } });
    pods.push({ name: `pod-${i}`, uid: created.metadata.uid ?? '' });
  });
  await letGo(client, pods);
  return pods;
}

async function remove(client: FullKubeClient, pod: Pod | undefined): Promise<void> {
  if (pod === undefined) return;
  const ref = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name: pod.name };
  if (!(await client.delete(ref, { uid: pod.uid }))) throw new Error(`${pod.name} was gone already`);
}
