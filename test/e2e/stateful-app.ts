import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodePod } from './node-pod.ts';

export interface StatefulApp {
  readonly name?: string;
  readonly kind?: 'Deployment' | 'StatefulSet' | 'Job' | 'CronJob' | 'Pod';
  readonly replicas?: number;
  readonly hooks?: string;
  /** Annotations under `hooks.krake.dev/`. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Environment of the example's counter: how it behaves. */
  readonly env?: Readonly<Record<string, string>>;
  /** Name of a Service in front of it, port 80. */
  readonly service?: string;
  /** Secret with tls.crt and tls.key: it speaks https. */
  readonly tls?: string;
  /** Containers that have nothing to do with it. */
  readonly sidecars?: number;
  /** Fields of the Job's spec. */
  readonly jobSpec?: object;
}

const program = readFileSync(join(import.meta.dirname, '../../examples/stateful/counter.ts'), 'utf8');
/** What a container runs that only waits for its end. */
const IDLE = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => undefined, 1e6);";

/** The manifests of the example's counter (examples/stateful) in the kind and the variant that a test needs. */
export function statefulApp(storeUrl: string, options: StatefulApp = {}): readonly object[] {
  const { name = 'counter', service } = options;
  const files = { 'counter.mts': program, 'idle.mts': IDLE };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'counter' }, data: files },
    ...(service === undefined ? [] : [buildService(service, name)]),
    buildWorkload(name, podOf(storeUrl, name, options), options),
  ];
}

function buildService(service: string, app: string): object {
  const spec = { selector: { app }, ports: [{ name: 'shutdown', port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: service }, spec };
}

function podOf(storeUrl: string, name: string, options: StatefulApp): object {
  const { kind = 'Deployment', tls, sidecars = 0 } = options;
  const env = {
    STATE_STORE: storeUrl,
    APP: name,
    ...(tls === undefined ? {} : { TLS_DIRECTORY: '/tls' }),
    ...options.env,
  };
  const app = { name: 'counter', program: 'counter.mts', env, readyAt: '/' } as const;
  const others = Array.from({ length: sidecars }, (_, i) => ({ name: `idle-${i}`, program: 'idle.mts' }));
  return nodePod([...others, tls === undefined ? app : { ...app, scheme: 'HTTPS' }], {
    files: 'counter',
    restartPolicy: kind === 'Job' || kind === 'CronJob' || kind === 'Pod' ? 'Never' : 'Always',
    ...(tls === undefined ? {} : { tls }),
  });
}

function buildWorkload(name: string, spec: object, options: StatefulApp): object {
  const { kind = 'Deployment', replicas = 1, hooks = 'shutdown', jobSpec = {} } = options;
  const annotations = Object.fromEntries(
    Object.entries({ hooks, 'shutdown-timeout': '60s', ...options.annotations }).map(([key, value]) => [
      `hooks.krake.dev/${key}`,
      value,
    ]),
  );
  const labels = { app: name };
  const metadata = { name, annotations };
  const template = { metadata: { labels }, spec };
  const selector = { matchLabels: labels };
  switch (kind) {
    case 'Pod':
      return { apiVersion: 'v1', kind, metadata: { ...metadata, labels }, spec };
    case 'Job':
      return { apiVersion: 'batch/v1', kind, metadata, spec: { ...jobSpec, template } };
    case 'CronJob': {
      const jobTemplate = { spec: { ...jobSpec, template } };
      return {
        apiVersion: 'batch/v1',
        kind,
        metadata,
        spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate },
      };
    }
    case 'StatefulSet':
      return {
        apiVersion: 'apps/v1',
        kind,
        metadata,
        spec: { replicas, serviceName: name, podManagementPolicy: 'Parallel', selector, template },
      };
    case 'Deployment':
      return { apiVersion: 'apps/v1', kind, metadata, spec: { replicas, selector, template } };
  }
}
