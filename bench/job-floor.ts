// The floor for job-done webhooks: a bare script that watches Jobs and posts when one is complete. Writes nothing, remembers nothing, signs nothing.
// node bench/job-floor.ts KUBECONFIG NAMESPACE URL
import { request } from 'node:http';
import { createKubeClient, type KubeObject } from '../src/kube/index.ts';

const [kubeconfigPath = '', namespace = '', url = ''] = process.argv.slice(2);
const client = createKubeClient({ kubeconfigPath, userAgent: 'floor/0' });
const jobs = { apiVersion: 'batch/v1', plural: 'jobs' };
const posted = new Set<string>();

interface Job extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const { resourceVersion } = await client.list(jobs, namespace);
const signal = new AbortController().signal;
console.log('watching');
for await (const event of await client.watch<Job>(jobs, namespace, {
  signal,
  resourceVersion,
  timeoutSeconds: 3_600,
  idleTimeoutMs: 600_000,
})) {
  if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
  const { metadata, status } = event.object;
  const done = status?.conditions?.some(
    (condition) => condition.type === 'Complete' && condition.status === 'True',
  );
  if (done !== true || metadata.uid === undefined || posted.has(metadata.uid)) continue;
  posted.add(metadata.uid);
  const body = JSON.stringify({ name: metadata.name });
  // A connection for each call, as ours has.
  const post = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  });
  post.on('response', (response) => response.resume());
  post.end(body);
}
