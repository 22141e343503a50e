import { request } from 'node:https';
import type { Cluster } from '../cluster/cluster.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../e2e/eventually.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { startService, type ServiceProcess } from './service.ts';

export const NAMESPACE = 'callers';
const SYSTEM = 'krake-system';
export type WebhookPart = 'admission' | 'gate';
export const CONFIGURATIONS = {
  admission: 'mutatingwebhookconfiguration/krake-hooks',
  gate: 'validatingwebhookconfiguration/krake-hooks-gate',
} as const;

/**
 * Without a node no Service leads anywhere, but one of the type ExternalName leads the API server to this machine: it is called by the Service's
 * name, as in a cluster, at the port that the webhook configuration names.
 */
export async function leadServiceHere(cluster: Cluster, part: WebhookPart, port: number): Promise<void> {
  const name = `krake-hooks-${part}`;
  await cluster.kubectl(['-n', SYSTEM, 'delete', 'service', name]);
  await cluster.kubectl([
    '-n',
    SYSTEM,
    'create',
    'service',
    'externalname',
    name,
    '--external-name=localhost',
  ]);
  const patch = [0, 1].map((index) => ({
    op: 'replace',
    path: `/webhooks/${index}/clientConfig/service/port`,
    value: port,
  }));
  await cluster.kubectl(['patch', CONFIGURATIONS[part], '--type=json', '-p', JSON.stringify(patch)]);
}

/** The paths that the API server asks at. */
export async function pathsOf(cluster: Cluster, part: WebhookPart): Promise<string[]> {
  const { stdout } = await cluster.kubectl([
    'get',
    CONFIGURATIONS[part],
    '-o',
    'jsonpath={.webhooks[*].clientConfig.service.path}',
  ]);
  return stdout.split(' ');
}

/** One part as a process with the rights of its own account, listed in `started` before it is ready. */
export async function startWebhook(
  controlPlane: ControlPlane,
  started: ServiceProcess[],
  part: WebhookPart,
  port: number,
  set: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const service = await startService(controlPlane, {
    parts: [part],
    kubeconfig: await writeAccountKubeconfig(controlPlane, SYSTEM, `krake-hooks-${part}`),
    set: { [`${part}.port`]: String(port), ...set },
  });
  started.push(service);
  await service.untilReady();
  return service;
}

/** Creates a pod that asks for the hook; true: it came with the injection. */
export async function createInjected(cluster: Cluster, name: string): Promise<boolean> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, annotations: { 'hooks.krake.dev/hooks': 'complete' } },
    spec: { containers: [{ name: 'main', image: 'example.invalid/main' }] },
  };
  const { code, stdout } = await cluster.kubectl(['create', '-o', 'json', '-f', '-'], {
    input: JSON.stringify(pod),
    allowFailure: true,
  });
  return code === 0 && stdout.includes('KRAKE_TOKEN');
}

/** The API server asks the gate, which fails closed, with the changed configuration within a second or so. */
export const untilEvicted = (cluster: Cluster, name: string): Promise<boolean> =>
  eventually(`${name} evicted`, async () => {
    const refusal = await evict(cluster, name);
    if (refusal !== undefined) throw new Error(refusal);
    return true;
  });

/** Evicts a pod; what kubectl wrote when it was refused. */
async function evict(cluster: Cluster, name: string): Promise<string | undefined> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: NAMESPACE } };
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`;
  const { code, stderr } = await cluster.kubectl(['create', '--raw', path, '-f', '-'], {
    input: JSON.stringify(eviction),
    allowFailure: true,
  });
  return code === 0 ? undefined : stderr;
}

export interface Caller {
  readonly cert?: string;
  readonly key?: string;
  readonly method?: string;
  readonly type?: string;
}

/** Calls a listener as anybody on the network may; undefined: there was no answer. The caller looks away from the listener's name. */
export function call(
  port: number,
  path: string,
  { cert, key, method = 'POST', type = 'application/json' }: Caller = {},
): Promise<{ readonly status: number; readonly text: string } | undefined> {
  return new Promise((resolve) => {
    const sent = request(
      {
        ...{
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          rejectUnauthorized: false,
          timeout: 30_000,
        },
        ...(cert !== undefined && { cert, key }),
        headers: { 'Content-Type': type, 'Content-Length': 2 },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('close', () => resolve(undefined));
      },
    );
    sent.on('error', () => resolve(undefined));
    sent.on('timeout', () => sent.destroy());
    sent.end('{}');
  });
}

/** The value of one metric with these labels, 0 when it is not there. */
export async function metricOf(service: ServiceProcess, start: string): Promise<number> {
  const { text } = await service.get('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(start));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** The API server has taken up a changed webhook configuration within a second or so. Resolves with the name of the pod. */
export const untilInjected = (cluster: Cluster, prefix: string): Promise<string> => {
  let attempt = 0;
  return eventually(`${prefix} injected`, async () => {
    const name = `${prefix}-${attempt++}`;
    return (await createInjected(cluster, name)) ? name : undefined;
  });
};
