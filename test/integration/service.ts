import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { findFreePort } from '../cluster/free-port.ts';
import { untilEstablished } from '../cluster/until-established.ts';
import { eventually } from '../e2e/eventually.ts';

const root = join(import.meta.dirname, '..', '..');

export interface ServiceProcess {
  readonly process: ChildProcess;
  readonly admissionPort: number;
  readonly callbacksPort: number;
  readonly gatePort: number;
  readonly healthPort: number;
  /** Everything it has written so far. */
  output(): string;
  /** Resolves when /readyz says so. @throws Error with the last answer and the end of its output */
  untilReady(timeoutMs?: number): Promise<void>;
  /** GET on the health listener. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Sends the signal and resolves with the exit code once it has ended; null: ended by the signal. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface ServiceOptions {
  readonly parts?: readonly ('admission' | 'gate' | 'callbacks' | 'controller' | 'jobs')[];
  /** Further keys of the configuration, by dotted path. */
  readonly set?: Readonly<Record<string, string>>;
  readonly kubeconfig?: string;
  /** Options of the node that runs it. */
  readonly execArgv?: readonly string[];
}

/** Installs the manifests as they are; the webhooks are then pointed at loopback with {@link pointWebhooksAt}. */
export async function applyManifests(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['apply', '-k', join(root, 'manifests')]);
  await untilEstablished(cluster, 'applications.hooks.krake.dev');
}

/**
 * Without a node no Service leads anywhere: the API server calls the webhooks by URL, everything else of the configurations stays. Without a
 * port the gate's webhooks stay as they are: nobody answers them, and what meets them is refused.
 */
export async function pointWebhooksAt(
  cluster: Cluster,
  admissionPort: number,
  gatePort?: number,
): Promise<void> {
  await pointAt(
    cluster,
    'mutatingwebhookconfiguration/krake-hooks',
    `https://127.0.0.1:${admissionPort}/mutate`,
  );
  if (gatePort !== undefined) await pointGateAt(cluster, gatePort);
}

/** The gate's webhooks alone. */
export async function pointGateAt(cluster: Cluster, port: number): Promise<void> {
  await pointAt(
    cluster,
    'validatingwebhookconfiguration/krake-hooks-gate',
    `https://127.0.0.1:${port}/validate`,
  );
}

async function pointAt(cluster: Cluster, name: string, url: string): Promise<void> {
  const { stdout } = await cluster.kubectl(['get', name, '-o', 'json']);
  const { webhooks } = JSON.parse(stdout) as { webhooks: { clientConfig: { caBundle?: string } }[] };
  const patch = webhooks.map(({ clientConfig }, index) => ({
    op: 'replace',
    path: `/webhooks/${index}/clientConfig`,
    value: { url, ...(clientConfig.caBundle && { caBundle: clientConfig.caBundle }) },
  }));
  await cluster.kubectl(['patch', name, '--type=json', '-p', JSON.stringify(patch)]);
}

/** The service as a process of its own, on free ports of loopback, with times that suit a test. */
export async function startService(cluster: Cluster, options: ServiceOptions = {}): Promise<ServiceProcess> {
  const [admissionPort, gatePort, callbacksPort, healthPort] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ];
  const settings: Record<string, string> = {
    'admission.host': '127.0.0.1',
    'admission.port': String(admissionPort),
    'admission.extraNames': '127.0.0.1',
    'gate.host': '127.0.0.1',
    'gate.port': String(gatePort),
    'gate.extraNames': '127.0.0.1',
    'callbacks.host': '127.0.0.1',
    'callbacks.port': String(callbacksPort),
    'callbacks.extraNames': '127.0.0.1',
    'callbacks.externalEndpoint': `https://127.0.0.1:${callbacksPort}`,
    'health.host': '127.0.0.1',
    'health.port': String(healthPort),
    'controller.leaseDuration': '3s',
    'controller.renewDeadline': '2s',
    'controller.retryPeriod': '500ms',
    shutdownDelay: '500ms',
    ...options.set,
  };
  const args = [
    ...(options.execArgv ?? []),
    join(root, 'src/cli/main.ts'),
    'serve',
    ...['--kubeconfig', options.kubeconfig ?? cluster.kubeconfig],
    ...(options.parts === undefined ? [] : ['--parts', options.parts.join(',')]),
    '--set',
    ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = new Promise<number | null>((resolve) =>
    child.on('exit', (code) => {
      process.off('exit', killWithUs);
      resolve(code);
    }),
  );

  const get: ServiceProcess['get'] = (path) => getText(healthPort, path);
  return {
    process: child,
    admissionPort,
    callbacksPort,
    gatePort,
    healthPort,
    output: () => output,
    get,
    async untilReady(timeoutMs = 60_000) {
      let last = '';
      try {
        await eventually(
          'the service to be ready',
          async () => {
            if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
            const { status, text } = await get('/readyz');
            last = text;
            return status === 200 ? true : undefined;
          },
          timeoutMs,
        );
      } catch (cause) {
        throw new Error(`${String(cause)}\n${last}\n${output.slice(-2_000)}`, { cause });
      }
    },
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

function getText(port: number, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, timeout: 30_000, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 30 s')));
    call.on('error', reject);
    call.end();
  });
}
