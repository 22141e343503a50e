import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';
import { nodePod } from './node-pod.ts';

/** What an application told the store; `at` is the store's time. */
export interface JournalEntry {
  readonly at: string;
  readonly event: 'started' | 'asked' | 'saved' | 'confirmed' | 'terminated';
  readonly app: string;
  readonly pod: string;
  readonly key: string;
  readonly count: number;
  /** asked: by somebody who knows the application's token. */
  readonly signed?: boolean;
  /** asked: body of the call. */
  readonly body?: string;
  readonly path?: string;
  /** confirmed: what the callback service answered. */
  readonly answer?: string;
}

export interface StateStore {
  /** As pods reach it. */
  readonly url: string;
  journal(namespace: string): Promise<readonly JournalEntry[]>;
}

const NAMESPACE = 'hooks-e2e-store';

/** The example's state store, in a namespace of its own, which no test deletes. May be repeated. */
export async function startStore(cluster: Cluster): Promise<StateStore> {
  const program = await readFile(join(import.meta.dirname, '../../examples/stateful/store.ts'), 'utf8');
  const metadata = { name: 'store', namespace: NAMESPACE };
  const labels = { app: 'store' };
  const container = { name: 'store', program: 'store.mts', readyAt: '/journal' };
  const spec = nodePod([container], { files: 'store', graceSeconds: 1 });
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'store.mts': program } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 8080 }] } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  ];
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
  await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/store', '--timeout=110s']);
  const proxy = `/api/v1/namespaces/${NAMESPACE}/services/store:8080/proxy`;
  return {
    url: `http://store.${NAMESPACE}:8080`,
    async journal(namespace) {
      const path = `${proxy}/journal?namespace=${namespace}`;
      return eventually('an answer of the store', async () => {
        const { stdout, code } = await cluster.kubectl(['get', '--raw', path], { allowFailure: true });
        return code === 0 ? (JSON.parse(stdout) as readonly JournalEntry[]) : undefined;
      });
    },
  };
}
