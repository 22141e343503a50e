import { setTimeout as sleep } from 'node:timers/promises';
import { createKubeClient, createReflector, type FullKubeClient } from '../src/kube/index.ts';
import { createLogger } from '../src/observability/index.ts';
import { startControlPlane, type ControlPlane } from '../test/cluster/control-plane.ts';
import { eventually } from '../test/e2e/eventually.ts';
import { applyManifests, startService, type ServiceProcess } from '../test/integration/service.ts';
import { annotatedDeployment, DEPLOYMENTS, inParallel } from './many-deployments.ts';
import { percentile, printTable, type Verdict } from './report.ts';

const NAMESPACE = 'bench';
const APPLICATIONS = { apiVersion: 'hooks.krake.dev/v1alpha1', plural: 'applications' };
const SECRETS = { apiVersion: 'v1', plural: 'secrets' };

/** Memory, cold start and reaction times of the controller on a real API server; only its own controllers run beside it. */
export async function benchController(quick: boolean): Promise<Verdict[]> {
  const controlPlane = await startControlPlane({
    extraControllerManagerArgs: ['--controllers=serviceaccount-controller,serviceaccount-token-controller'],
  });
  const stop = new AbortController();
  try {
    await applyManifests(controlPlane);
    await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
    await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
    const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'bench/0' });

    let service = await startController(controlPlane);
    const empty = await memoryOf(service);
    const reaction = await measureReaction(client, stop.signal, quick ? 50 : 200);
    await service.end('SIGTERM');

    const rows: (string | number)[][] = [['0', empty.heapMb, empty.rssMb, '', '']];
    const verdicts: Verdict[] = [
      {
        what: "a new workload's Secret exists, p99",
        measured: reaction.secretP99Ms,
        target: 200,
        better: 'lower',
        unit: ' ms',
      },
      {
        what: 'signal stored to deletion seen, p99',
        measured: reaction.deletionP99Ms,
        target: 100,
        better: 'lower',
        unit: ' ms',
      },
    ];
    let created = 0;
    for (const total of quick ? [1_000] : [1_000, 10_000]) {
      service = await startController(controlPlane);
      await inParallel(total - created, 16, (i) =>
        client.create(DEPLOYMENTS, NAMESPACE, annotatedDeployment(`load-${created + i}`)),
      );
      created = total;
      await untilSettled(client, total);
      await service.end('SIGTERM');

      const startedAt = performance.now();
      service = await startController(controlPlane);
      const coldMs = performance.now() - startedAt;
      const { heapMb, rssMb } = await memoryOf(service);
      const kbEach = ((heapMb - empty.heapMb) * 1024) / total;
      rows.push([String(total), heapMb, rssMb, kbEach, coldMs / 1_000]);
      verdicts.push({
        what: `heap for each of ${total} workloads`,
        measured: kbEach,
        target: 2,
        better: 'lower',
        unit: ' KB',
      });
      verdicts.push({
        what: `start to ready with ${total} workloads`,
        measured: coldMs / 1_000,
        target: 10,
        better: 'lower',
        unit: ' s',
      });
      await service.end('SIGTERM');
    }
    printTable('Controller', ['workloads', 'heap MB', 'RSS MB', 'KB each', 'start s'], rows);
    client.close();
    return verdicts;
  } finally {
    stop.abort();
    await controlPlane.stop();
  }
}

async function startController(controlPlane: ControlPlane): Promise<ServiceProcess> {
  const set = { 'controller.requestsPerSecond': '2000', 'controller.workers': '16', logLevel: 'error' };
  const service = await startService(controlPlane, { parts: ['controller'], set });
  await service.untilReady(120_000);
  return service;
}

/** The least heap over some seconds, which is what is held; RSS at the end. */
async function memoryOf(service: ServiceProcess): Promise<{ heapMb: number; rssMb: number }> {
  const read = (text: string, name: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  let heapMb = Number.POSITIVE_INFINITY;
  let rssMb = 0;
  for (let i = 0; i < 20; i++) {
    const { text } = await service.get('/metrics');
    heapMb = Math.min(heapMb, read(text, 'nodejs_heap_size_used_bytes') / 2 ** 20);
    rssMb = read(text, 'process_resident_memory_bytes') / 2 ** 20;
    await sleep(500);
  }
  return { heapMb, rssMb };
}

async function untilSettled(client: FullKubeClient, total: number): Promise<void> {
  await eventually(
    `${total} Secrets`,
    async () => {
      const { items } = await client.list(SECRETS, NAMESPACE, { metadataOnly: true, timeoutMs: 60_000 });
      return items.filter(({ metadata }) => metadata.name?.startsWith('krake-hooks-') === true).length >=
        total
        ? true
        : undefined;
    },
    300_000,
  );
}

/** One workload at a time on an idle machine: creation to Secret, stored signal to deletion; both as a watch of our own sees them. */
async function measureReaction(
  client: FullKubeClient,
  signal: AbortSignal,
  count: number,
): Promise<{ secretP99Ms: number; deletionP99Ms: number }> {
  const seen = new Map<string, number>();
  const watch = (resource: typeof SECRETS, label: string) =>
    createReflector<{ name: string }>({
      client,
      resource,
      namespace: NAMESPACE,
      metadataOnly: true,
      project: ({ metadata }) => ({ name: metadata.name ?? '' }),
      onChange: (key, _before, after) =>
        seen.set(
          `${after === undefined ? 'gone' : 'there'} ${label} ${key.split('/')[1]}`,
          performance.now(),
        ),
      logger: createLogger({ level: 'error' }),
    });
  const reflectors = [watch(SECRETS, 'secret'), watch(DEPLOYMENTS, 'deployment')];
  for (const reflector of reflectors) await reflector.start(signal);
  await eventually('the watches', () =>
    Promise.resolve(reflectors.every((r) => r.ready()) ? true : undefined),
  );

  const until = async (key: string): Promise<number> => {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const at = seen.get(key);
      if (at !== undefined) return at;
      if (performance.now() > deadline) throw new Error(`not seen within 30 s: ${key}`);
      await sleep(1);
    }
  };
  const secretMs: number[] = [];
  const deletionMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const name = `reaction-${i}`;
    await client.create(DEPLOYMENTS, NAMESPACE, annotatedDeployment(name));
    const createdAt = performance.now();
    secretMs.push((await until(`there secret krake-hooks-deployment-${name}`)) - createdAt);
    await sleep(50); // the status that follows the Secret
    const body = [
      {
        op: 'add',
        path: '/status/signals/complete',
        value: { receivedAt: new Date().toISOString(), provenBy: 'token' },
      },
    ];
    await client.patch(
      { resource: APPLICATIONS, namespace: NAMESPACE, name: `deployment-${name}`, subresource: 'status' },
      { type: 'json', body },
    );
    const signalledAt = performance.now();
    deletionMs.push((await until(`gone deployment ${name}`)) - signalledAt);
  }
  for (const reflector of reflectors) await reflector.stop();
  printTable(
    'Reaction of the controller, ms',
    ['', 'p50', 'p99'],
    [
      ['workload created → Secret exists', percentile(secretMs, 50), percentile(secretMs, 99)],
      ['signal stored → workload deleted', percentile(deletionMs, 50), percentile(deletionMs, 99)],
    ],
  );
  return { secretP99Ms: percentile(secretMs, 99), deletionP99Ms: percentile(deletionMs, 99) };
}
