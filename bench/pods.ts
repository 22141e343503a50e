import { Agent, request } from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane, type ControlPlane } from '../test/cluster/control-plane.ts';
import { startContenders } from './contenders.ts';
import { realisticReview } from './realistic-review.ts';
import { median, percentile, printTable, type Verdict } from './report.ts';

const PARALLEL = 16;

interface Run {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Pod creations (server-side dry runs, so that etcd's speed and size stay out of it) through a real kube-apiserver. */
export async function benchPods(quick: boolean): Promise<Verdict[]> {
  const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-bench-'));
  const { contenders, caPem } = await startContenders(directory);
  const controlPlane = await startControlPlane();
  const pods = quick ? 300 : 1_000;
  const rounds = quick ? 1 : 3;
  try {
    await controlPlane.kubectl(['create', 'namespace', 'shop']);
    const variants = [
      { name: 'no webhook', url: undefined },
      ...contenders.filter((c) => c.name !== 'express'),
    ];
    const runs = new Map<string, Run[]>(variants.map(({ name }) => [name, []]));
    for (let round = -1; round < rounds; round++) {
      for (const { name, url } of variants) {
        await useWebhook(controlPlane, url, caPem);
        const run = await createPods(controlPlane, round < 0 ? 100 : pods); // the first round warms all up
        if (round >= 0) runs.get(name)?.push(run);
      }
    }
    const rate = (name: string) => median((runs.get(name) ?? []).map((run) => run.perSecond));
    const p99 = (name: string) => median((runs.get(name) ?? []).map((run) => run.p99Ms));
    printTable(
      `Pod creations through kube-apiserver, ${PARALLEL} at once`,
      ['webhook', 'pods/s', 'p99 ms', 'of bare'],
      variants.map(({ name }) => [name, rate(name), p99(name), rate(name) / rate('bare node:https')]),
    );
    return [
      {
        what: 'pod creations/s against a bare node:https webhook',
        measured: rate('krake-hooks') / rate('bare node:https'),
        target: 0.9,
        better: 'higher',
      },
      {
        what: 'p99 that admission adds to a pod creation, 16 at once',
        measured: p99('krake-hooks') - p99('no webhook'),
        target: 20,
        better: 'lower',
        unit: ' ms',
      },
    ];
  } finally {
    for (const { server } of contenders) await server.stop();
    await controlPlane.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function useWebhook(controlPlane: ControlPlane, url: string | undefined, caPem: string): Promise<void> {
  await controlPlane.kubectl(['delete', 'mutatingwebhookconfiguration', 'bench', '--ignore-not-found']);
  if (url !== undefined) {
    const webhook = {
      name: 'bench.hooks.krake.dev',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      clientConfig: { url, caBundle: Buffer.from(caPem).toString('base64') },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    };
    const configuration = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'bench' },
      webhooks: [webhook],
    };
    await controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(configuration) });
  }
  // The API server learns of it by a watch; nothing tells when.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
}

async function createPods(controlPlane: ControlPlane, total: number): Promise<Run> {
  const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL, ca: controlPlane.caPem });
  const { object } = (
    JSON.parse(realisticReview('0')) as { request: { object: { metadata: Record<string, unknown> } } }
  ).request;
  delete object.metadata['managedFields'];
  delete object.metadata['ownerReferences'];
  const body = JSON.stringify(object);
  const timesMs: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    while (next++ < total) {
      const before = performance.now();
      await createPod(controlPlane, agent, body);
      timesMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  agent.destroy();
  return { perSecond: (total / (performance.now() - startedAt)) * 1_000, p99Ms: percentile(timesMs, 99) };
}

function createPod({ url, adminToken }: ControlPlane, agent: Agent, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      Authorization: `Bearer ${adminToken}`,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    };
    const call = request(
      `${url}/api/v1/namespaces/shop/pods?dryRun=All`,
      { method: 'POST', agent, headers },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        response.on('end', () => {
          if (response.statusCode === 201) resolve();
          else
            reject(new Error(`the API server refused the pod: ${response.statusCode} ${text.slice(0, 300)}`));
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
