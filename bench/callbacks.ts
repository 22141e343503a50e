import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPLICATIONS } from '../src/applications/index.ts';
import { createKubeClient, type FullKubeClient, type ObjectRef } from '../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../test/cluster/control-plane.ts';
import { untilEstablished } from '../test/cluster/until-established.ts';
import { writeCertificate } from './certificate.ts';
import { median, percentile, printTable, type Verdict } from './report.ts';
import { startServer } from './server-process.ts';

const PARALLEL = 16;
const NAMESPACE = 'shop';
const TOKEN = 'a-token-that-all-applications-of-this-benchmark-share';

interface Run {
  readonly perSecond: number;
  readonly p99Ms: number;
}

interface Contender {
  readonly what: string;
  readonly work: (name: string) => Promise<void>;
  /** How often each Application is used in a run. */
  readonly times: number;
  readonly runs: Run[];
}

/**
 * PUT complete through a callback process against the bare status PATCH by the same client, on the same Applications in turn, and wrong
 * tokens; all over connections that are kept. Each PUT stores a signal that was not there.
 */
export async function benchCallbacks(quick: boolean): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { certFile, keyFile, certPem } = await writeCertificate(directory);
  const controlPlane = await startControlPlane();
  const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'bench/0' });
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL, ca: certPem });
  const rounds = quick ? 3 : 10;
  try {
    const names = await createApplications(controlPlane, client, quick ? 150 : 300);
    const server = await startServer('callbacks-server.ts', [certFile, keyFile, controlPlane.kubeconfig]);
    const put = (token: string, expected: number) => async (name: string) => {
      const status = await send(agent, server.port, name, token);
      if (status !== expected) throw new Error(`${name}: ${status} instead of ${expected}`);
    };
    const measured: Record<'patch' | 'put' | 'again' | 'wrong', Contender> = {
      patch: { what: 'bare status PATCH', work: (name) => patchBare(client, name), times: 1, runs: [] },
      put: { what: 'PUT complete', work: put(TOKEN, 200), times: 1, runs: [] },
      again: { what: 'PUT complete again', work: put(TOKEN, 200), times: 3, runs: [] },
      wrong: { what: 'PUT with a wrong token', work: put('wrong', 401), times: 3, runs: [] },
    };
    const clear = () => inParallel(names, (name) => reset(client, name));
    try {
      await measure(measured, names, clear, rounds);
    } finally {
      await server.stop();
    }
    const rate = (contender: Contender) => median(contender.runs.map((run) => run.perSecond));
    // By round, since what the machine does besides falls on both in the same round.
    const ratio = (one: Contender, other: Contender) =>
      median(one.runs.map((run, i) => run.perSecond / (other.runs[i]?.perSecond ?? Number.NaN)));
    printTable(
      `Callbacks, ${PARALLEL} at once, ${names.length} Applications, ${rounds} rounds`,
      ['what', '1/s', 'p99 ms', 'of bare PATCH'],
      Object.values(measured).map((contender) => [
        contender.what,
        rate(contender),
        median(contender.runs.map((run) => run.p99Ms)),
        ratio(contender, measured.patch),
      ]),
    );
    return [
      {
        what: 'PUT complete/s against the bare status PATCH',
        measured: ratio(measured.put, measured.patch),
        target: 0.8,
        better: 'higher',
      },
      {
        what: 'wrong tokens/s against PUT complete',
        measured: ratio(measured.wrong, measured.put),
        target: 5,
        better: 'higher',
      },
    ];
  } finally {
    agent.destroy();
    client.close();
    await controlPlane.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In turn, each with the Applications as the one before left them, but a PUT and a PATCH always find no signal. */
async function measure(
  contenders: Readonly<Record<string, Contender>>,
  names: readonly string[],
  clear: () => Promise<unknown>,
  rounds: number,
): Promise<void> {
  for (let round = -1; round < rounds; round++) {
    for (const [key, { work, times, runs }] of Object.entries(contenders)) {
      if (key === 'put' || key === 'patch') await clear();
      const run = await inParallel(Array.from({ length: times }, () => names).flat(), work);
      if (round >= 0) runs.push(run); // the first round warms all up
    }
  }
}

async function createApplications(
  controlPlane: ControlPlane,
  client: FullKubeClient,
  count: number,
): Promise<readonly string[]> {
  await controlPlane.kubectl(['apply', '--server-side', '-f', 'manifests/crd/applications.yaml']);
  await untilEstablished(controlPlane, 'applications.hooks.krake.dev');
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  const names = Array.from({ length: count }, (_, i) => `deployment-web-${i}`);
  const tokenSha256 = createHash('sha256').update(TOKEN).digest('hex');
  await inParallel(names, async (name) => {
    const metadata = { name, namespace: NAMESPACE };
    const spec = { hooks: ['complete', 'shutdown'] };
    await client.create(APPLICATIONS, NAMESPACE, {
      apiVersion: APPLICATIONS.apiVersion,
      kind: 'Application',
      metadata,
      spec,
    });
    await client.patch(statusOf(name), { type: 'merge', body: { status: { tokenSha256, signals: {} } } });
  });
  return names;
}

/** What a PUT comes down to, with nothing around it and no tests in it. */
async function patchBare(client: FullKubeClient, name: string): Promise<void> {
  const value = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  await client.patch(statusOf(name), {
    type: 'json',
    body: [{ op: 'add', path: '/status/signals/complete', value }],
  });
}

async function reset(client: FullKubeClient, name: string): Promise<void> {
  await client.patch(statusOf(name), { type: 'merge', body: { status: { signals: { complete: null } } } });
}

function statusOf(name: string): ObjectRef {
  return { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' };
}

function send(agent: Agent, port: number, name: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = `/kubernetes/namespaces/${NAMESPACE}/applications/${name}/complete`;
    const body = JSON.stringify({ token });
    const headers = { 'Content-Length': Buffer.byteLength(body) };
    request({ host: '127.0.0.1', port, method: 'PUT', path, agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end(body);
  });
}

async function inParallel(names: readonly string[], work: (name: string) => Promise<void>): Promise<Run> {
  const left = [...names].reverse();
  const timesMs: number[] = [];
  const startedAt = performance.now();
  const worker = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const sentAt = performance.now();
      await work(name);
      timesMs.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: names.length / seconds, p99Ms: percentile(timesMs, 99) };
}
