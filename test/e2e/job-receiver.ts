import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { TestNamespace } from './namespace.ts';
import { nodePod } from './node-pod.ts';

/** What the example's receiver noted of a request. */
export interface ReceivedWebhook {
  readonly pod: string;
  readonly path: string;
  readonly id: string;
  readonly signature: 'valid' | 'invalid' | 'none';
  readonly answer: number;
  readonly body: string;
}

/** The receiver of examples/jobs in the namespace, behind the Service `reports`, port 80. */
export interface JobReceiver {
  /** Takes it away, with all that it knows. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** All that came since it was up. */
  received(): Promise<readonly ReceivedWebhook[]>;
  /** Resolves when so many came that fit. */
  untilReceived(
    what: string,
    count: number,
    fits?: (received: ReceivedWebhook) => boolean,
  ): Promise<readonly ReceivedWebhook[]>;
}

const program = readFileSync(join(import.meta.dirname, '../../examples/jobs/receiver.ts'), 'utf8');
const LABELS = { app: 'reports' };

/** @param secret of Standard Webhooks; without one it takes what is not signed */
export async function startJobReceiver(namespace: TestNamespace, secret?: string): Promise<JobReceiver> {
  const { name } = namespace;
  const kubectl: TestNamespace['kubectl'] = (args, options) => namespace.kubectl(args, options);
  const metadata = { name: 'reports' };
  const env = secret === undefined ? { ACCEPTS_UNSIGNED: 'yes' } : { WEBHOOK_SECRET: secret };
  const container = { name: 'reports', program: 'receiver.mts', readyAt: '/journal', env };
  const spec = nodePod([container], { files: 'reports', graceSeconds: 1 });
  await namespace.apply(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'receiver.mts': program } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: LABELS, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: LABELS }, template: { metadata: { labels: LABELS }, spec } },
    },
  );
  const isUp = async (): Promise<void> => {
    await kubectl(['rollout', 'status', 'deployment/reports', '--timeout=120s'], { timeoutMs: 130_000 });
  };
  await isUp();
  const path = `/api/v1/namespaces/${name}/services/reports:80/proxy/journal`;
  const read = async (): Promise<readonly ReceivedWebhook[] | undefined> => {
    const { stdout, code } = await kubectl(['get', '--raw', path], { allowFailure: true });
    return code === 0 ? (JSON.parse(stdout) as readonly ReceivedWebhook[]) : undefined;
  };
  return {
    received: () => eventually('an answer of the receiver', read),
    async down() {
      await kubectl(['scale', 'deployment/reports', '--replicas=0']);
      await kubectl(['wait', '--for=delete', 'pod', '-l', 'app=reports', '--timeout=120s'], {
        timeoutMs: 130_000,
      });
    },
    async up() {
      await kubectl(['scale', 'deployment/reports', '--replicas=1']);
      await isUp();
    },
    untilReceived: (what, count, fits = () => true) =>
      eventually(
        `${count} of ${what} at the receiver`,
        async () => {
          const all = (await read())?.filter(fits);
          return all !== undefined && all.length >= count ? all : undefined;
        },
        180_000,
      ),
  };
}
