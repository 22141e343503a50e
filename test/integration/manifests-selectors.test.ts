import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import { ENABLED, pod, startWithManifests, type ManifestsSetting } from './manifests-setting.ts';

// No service runs and the webhooks fail open, so the API server's own count of failed calls is the count of what would have
// reached the service.
const WORKLOADS = 'workloads.hooks.krake.dev';
const PODS = 'pods.hooks.krake.dev';
const COMPLETE = { 'hooks.krake.dev/hooks': 'complete' };
const ON_JOB = {
  annotations: {
    'hooks.krake.dev/on-job-done': 'ours',
    'hooks.krake.dev/on-job-failed': 'ours',
    'hooks.krake.dev/on-job-complete': 'ours',
    'hooks.krake.dev/webhooks-settled': 'uid/complete',
  },
};
const APPLICATION = { 'hooks.krake.dev/application': 'deployment-web' };

jest.setTimeout(300_000);
let setting: ManifestsSetting;
beforeAll(async () => {
  setting = await startWithManifests();
  await setting.namespace('shop', ENABLED);
  await setting.namespace('elsewhere');
  const { controlPlane } = setting;
  await controlPlane.kubectl(['label', 'namespace', 'kube-system', 'hooks.krake.dev/enabled=true']);
  await setting.untilLabelsAreKnown();
  // What is asked here is who is asked, not what the policy says to it.
  await controlPlane.kubectl(['delete', 'validatingadmissionpolicybinding', 'krake-hooks-injected']);
  await waitFor('the policy to be gone', async () => {
    const refusal = await setting.create(pod('shop', { annotations: COMPLETE }), { dryRun: true });
    return refusal === undefined ? true : undefined;
  });
}, 600_000);
afterAll(() => setting.controlPlane.stop(), 60_000);

async function callsSoFar(): Promise<Record<string, number>> {
  const text = await setting.controlPlane.metricsText();
  const counts: Record<string, number> = { [WORKLOADS]: 0, [PODS]: 0 };
  for (const line of text.split('\n')) {
    const found = /^apiserver_admission_webhook_fail_open_count\{name="([^"]+)",type="admit"\} (\d+)/.exec(
      line,
    );
    if (found?.[1] !== undefined) counts[found[1]] = Number(found[2]);
  }
  return counts;
}

/** Which webhook was asked how often. */
async function asked(act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await callsSoFar();
  await act();
  const after = await callsSoFar();
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

interface Deployment {
  readonly metadata: {
    readonly generation: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly observedGeneration?: number };
}
interface Parts {
  readonly own?: object;
  readonly template?: object;
  readonly namespace?: string;
}
const template = (meta: object = {}) => ({
  metadata: { ...meta, labels: { app: 'web', ...('labels' in meta ? (meta.labels as object) : {}) } },
  spec: { containers: [{ name: 'main', image: 'example.invalid/main' }] },
});
const metadata = ({ own, namespace = 'shop' }: Parts) => ({ name: 'web', namespace, ...own });
const deployment = (parts: Parts) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: metadata(parts),
  spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template: template(parts.template) },
});
const replicaSet = (parts: Parts) => ({ ...deployment(parts), kind: 'ReplicaSet' });
const daemonSet = (parts: Parts) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: metadata(parts),
  spec: { selector: { matchLabels: { app: 'web' } }, template: template(parts.template) },
});
const statefulSet = (parts: Parts) => ({
  ...daemonSet(parts),
  kind: 'StatefulSet',
  spec: { ...daemonSet(parts).spec, serviceName: 'web' },
});
const replicationController = (parts: Parts) => ({
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: metadata(parts),
  spec: { replicas: 0, selector: { app: 'web' }, template: template(parts.template) },
});
const jobTemplate = (meta: object = {}) => {
  const { metadata, spec } = template(meta);
  return { template: { metadata, spec: { ...spec, restartPolicy: 'Never' } } };
};
const job = (parts: Parts) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: metadata(parts),
  spec: jobTemplate(parts.template),
});
const cronJob = (parts: Parts & { readonly jobTemplate?: object }) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: metadata(parts),
  spec: {
    schedule: '0 0 1 1 *',
    jobTemplate: { metadata: parts.jobTemplate ?? {}, spec: jobTemplate(parts.template) },
  },
});

const annotated = { annotations: COMPLETE };
const ownedBy = (kind: string) => ({
  ...annotated,
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'web', uid: '1', controller: true }],
});

it.each<[string, object]>([
  ['an annotated Deployment', deployment({ own: annotated })],
  ['a Deployment with an annotated template', deployment({ template: annotated })],
  ['a stamped Deployment', deployment({ template: { labels: APPLICATION } })],
  ['a misspelt annotation', deployment({ own: { annotations: { 'hoks.krake.dev/hooks': 'complete' } } })],
  ['a misspelt group', deployment({ own: { annotations: { 'hooks.crake.dev/hooks': 'complete' } } })],
  ['an annotated StatefulSet', statefulSet({ own: annotated })],
  ['an annotated DaemonSet', daemonSet({ own: annotated })],
  ['an annotated ReplicaSet of nobody', replicaSet({ own: annotated })],
  ['an annotated ReplicationController', replicationController({ own: annotated })],
  ['an annotated Job', job({ own: annotated })],
  ['an annotated CronJob', cronJob({ own: annotated })],
  ['a CronJob with an annotated Job template', cronJob({ jobTemplate: annotated })],
  ['a CronJob with an annotated pod template', cronJob({ template: annotated })],
  [
    'a misspelt annotation for a job-done webhook',
    job({ own: { annotations: { 'hooks.krake.dev/on-job-dne': 'x' } } }),
  ],
  ['a hook beside a job-done webhook', job({ own: { annotations: { ...ON_JOB.annotations, ...COMPLETE } } })],
])('the workload webhook is asked about %s, once', async (_name, object) => {
  const calls = await asked(async () => {
    expect(await setting.create(object, { dryRun: true })).toBeUndefined();
  });
  expect(calls).toEqual({ [WORKLOADS]: 1 });
});

it.each<[string, object]>([
  ['an annotated pod', pod('shop', annotated)],
  ['a stamped pod', pod('shop', { labels: APPLICATION })],
])('the pod webhook is asked about %s, once', async (_name, object) => {
  const calls = await asked(async () => {
    expect(await setting.create(object, { dryRun: true })).toBeUndefined();
  });
  expect(calls).toEqual({ [PODS]: 1 });
});

it.each<[string, object]>([
  ['a pod without our annotations', pod('shop', { annotations: { 'example.com/x': 'y' } })],
  [
    'a Deployment without our annotations',
    deployment({ template: { annotations: { 'helm.sh/hook': 'x' } } }),
  ],
  ['a Job with job-done webhooks alone', job({ own: ON_JOB })],
  ['a CronJob with job-done webhooks alone', cronJob({ own: ON_JOB, jobTemplate: ON_JOB })],
  ['a Deployment with job-done webhooks alone', deployment({ own: ON_JOB })],
  ['the ReplicaSet of an annotated Deployment', replicaSet({ own: ownedBy('Deployment') })],
  ['an annotated pod in a namespace that is not opted in', pod('elsewhere', annotated)],
  ['an annotated Deployment there', deployment({ own: annotated, namespace: 'elsewhere' })],
  ['an annotated pod in kube-system with the label', pod('kube-system', annotated)],
  ['an annotated Deployment there with the label', deployment({ own: annotated, namespace: 'kube-system' })],
  [
    'a mirror pod',
    pod(
      'shop',
      { annotations: { ...COMPLETE, 'kubernetes.io/config.mirror': 'hash' } },
      { nodeName: 'node-1' },
    ),
  ],
  [
    'a Service with our annotation',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata({ own: annotated }),
      spec: { ports: [{ port: 80 }] },
    },
  ],
])('nobody is asked about %s', async (_name, object) => {
  const calls = await asked(async () => {
    expect(await setting.create(object, { dryRun: true })).toBeUndefined();
  });
  expect(calls).toEqual({});
});

it('a life: annotate asks, scaling and status ask nobody, deletion with a finalizer asks nobody', async () => {
  const kubectl = (...args: readonly string[]) => setting.controlPlane.kubectl(['-n', 'shop', ...args]);
  expect(
    await asked(() => setting.create(deployment({ own: { finalizers: ['example.com/held'] } }))),
  ).toEqual({});
  const annotate = () => kubectl('annotate', 'deployment', 'web', 'hooks.krake.dev/hooks=complete');
  expect(await asked(annotate)).toMatchObject({ [WORKLOADS]: expect.any(Number) });
  // The Deployment controller writes its own annotations once; they are updates like any other.
  await waitFor('the Deployment controller to be done', async () => {
    const { metadata, status } = await setting.get<Deployment>('-n', 'shop', 'deployment', 'web');
    const revision = metadata.annotations?.['deployment.kubernetes.io/revision'];
    if (revision === undefined || status?.observedGeneration !== metadata.generation) return undefined;
    const calls = await asked(() => new Promise((resolve) => setTimeout(resolve, 300)));
    return Object.keys(calls).length === 0 ? true : undefined;
  });
  expect(await asked(() => kubectl('scale', 'deployment', 'web', '--replicas=1'))).toEqual({});
  const status = ['patch', 'deployment', 'web', '--subresource=status', '--type=merge', '-p'];
  expect(await asked(() => kubectl(...status, '{"status":{"replicas":1}}'))).toEqual({});
  await kubectl('delete', 'deployment', 'web', '--wait=false');
  const release = () =>
    kubectl('patch', 'deployment', 'web', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  expect(await asked(release)).toEqual({});
});
