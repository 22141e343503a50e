// `make demo-jobs`: a Job, a failing Job and a CronJob with parallel pods; their end reaches a receiver, signed, once, also with the receiver
// down for a while and our leader killed in between. Exit code 0 only if all of it happened.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { runCommand } from '../cluster/run-command.ts';
import { followReceiver } from './follow-receiver.ts';
import { say, step } from './narrator.ts';
import { runDemo, type DemoStage } from './run-demo.ts';

const root = join(import.meta.dirname, '..', '..');
const NAMESPACE = 'krake-jobs';
const IN_SYSTEM = ['-n', 'krake-system'] as const;
const IN_DEMO = ['-n', NAMESPACE] as const;
/** The CronJob runs each full minute. */
const CRON_TIMEOUT_MS = 120_000;
const TOLD_TIMEOUT_MS = 60_000;
/** Long enough for several attempts that fail. */
const DOWN_MS = 8_000;

await runDemo({ namespaces: [NAMESPACE], tell: tellStory });

async function tellStory({ cluster, kubectl, follow }: DemoStage): Promise<void> {
  step('Two replicas of the part that tells: one leads, one stands by');
  await kubectl([...IN_SYSTEM, 'scale', 'deployment/krake-hooks-jobs', '--replicas=2']);
  await rollout(kubectl, IN_SYSTEM, 'krake-hooks-jobs');
  say(`the Lease krake-hooks-jobs is held by ${await leader(kubectl)}`);

  step(
    'A receiver that verifies signatures, its key in a Secret, and a Webhook that leads to it (examples/jobs)',
  );
  await kubectl(['create', 'namespace', NAMESPACE]);
  await createKey(kubectl);
  await kubectl(['apply', '-k', join(import.meta.dirname, 'jobs')]);
  await rollout(kubectl, IN_DEMO, 'reports');
  say(await krakeHooks(cluster, 'webhooks', 'list'));

  step('A Job, a Job that fails, and a CronJob with two pods at a time; each with one annotation');
  const receiver = follow(followReceiver(cluster, NAMESPACE, Date.now()));
  await apply(kubectl, readFileSync(join(root, 'examples/jobs/jobs.yaml'), 'utf8'));
  const [train] = await receiver.untilTold('train', /^train$/, 1, TOLD_TIMEOUT_MS);
  expectThat(train?.outcome === 'complete' && train.succeeded === 1, 'train is told of as complete');
  const [broken] = await receiver.untilTold('broken', /^broken$/, 1, TOLD_TIMEOUT_MS);
  expectThat(broken?.outcome === 'failed' && broken.failed === 1, 'broken is told of as failed');
  say('... and the CronJob runs at the next full minute');
  const [cron] = await receiver.untilTold('every-minute', /^every-minute-/, 1, CRON_TIMEOUT_MS);
  expectThat(cron?.succeeded === 2, 'the Job of the CronJob is told of once, with its two pods');
  await kubectl([...IN_DEMO, 'patch', 'cronjob/every-minute', '-p', '{"spec":{"suspend":true}}']);
  say('=> each was told once, and signed');

  step('The receiver is down, and Jobs end');
  await kubectl([...IN_DEMO, 'scale', 'deployment/reports', '--replicas=0']);
  await kubectl([...IN_DEMO, 'wait', '--for=delete', 'pod', '-l', 'app=reports', '--timeout=30s']);
  await apply(
    kubectl,
    [lateJob('late-1', 'true'), lateJob('late-2', 'false'), lateJob('late-3', 'true')].join('---\n'),
  );
  await kubectl(
    [...IN_DEMO, 'wait', '--for=condition=Complete', 'job/late-1', 'job/late-3', '--timeout=60s'],
    {
      timeoutMs: 70_000,
    },
  );
  await kubectl([...IN_DEMO, 'wait', '--for=condition=Failed', 'job/late-2', '--timeout=60s'], {
    timeoutMs: 70_000,
  });
  await sleep(DOWN_MS);
  say(await krakeHooks(cluster, 'deliveries', 'list', '--phase', 'Pending'));

  step('Our leader is killed meanwhile: kubectl delete pod --force --grace-period=0');
  const before = await leader(kubectl);
  await kubectl([...IN_SYSTEM, 'delete', 'pod', before, '--force', '--grace-period=0']);
  const after = await untilAnother(kubectl, before);
  say(`${before} is gone, ${after} leads`);

  step('The receiver is back');
  await kubectl([...IN_DEMO, 'scale', 'deployment/reports', '--replicas=1']);
  await rollout(kubectl, IN_DEMO, 'reports');
  await receiver.untilTold('the three Jobs', /^late-/, 3, TOLD_TIMEOUT_MS);
  // What came twice would come about now.
  await sleep(3_000);
  await receiver.untilTold('the three Jobs', /^late-/, 3, 0);
  const { requests, ids } = receiver.counts();
  expectThat(requests === ids, `no event came twice (${requests} requests, ${ids} ids)`);
  say(`=> nothing is lost, nothing came twice: ${requests} requests with ${ids} ids\n`);
  say(await krakeHooks(cluster, 'deliveries', 'list'));

  step('Where to look next');
  say(`export KUBECONFIG=${cluster.kubeconfig}`);
  say(`kubectl -n ${NAMESPACE} get webhookdeliveries; kubectl -n ${NAMESPACE} describe job late-1`);
  say(`node src/cli/main.ts webhooks test reports -n ${NAMESPACE}`);
  say('docs/job-webhooks.md, examples/jobs/README.md; "make cluster-down" takes the cluster away');
}

/** A key that nobody has had before. */
async function createKey(kubectl: Cluster['kubectl']): Promise<void> {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'krake-hooks-webhooks', namespace: NAMESPACE },
    stringData: { reports: `whsec_${randomBytes(32).toString('base64')}` },
  };
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify(secret) });
}

async function apply(kubectl: Cluster['kubectl'], manifests: string): Promise<void> {
  const input = manifests.replaceAll('busybox:1', 'localhost/tools:1');
  say((await kubectl(['apply', '-f', '-'], { input })).stdout.trim());
}

function lateJob(name: string, command: string): string {
  return `apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
  namespace: ${NAMESPACE}
  annotations: { hooks.krake.dev/on-job-done: reports }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: main, image: 'busybox:1', command: [sh, -c, '${command}'] }]
`;
}

async function rollout(kubectl: Cluster['kubectl'], where: readonly string[], name: string): Promise<void> {
  const status = ['rollout', 'status', `deployment/${name}`, '--timeout=120s'];
  await kubectl([...where, ...status], { timeoutMs: 130_000 });
}

/** Name of the pod that holds the Lease; empty when nobody does. */
async function leader(kubectl: Cluster['kubectl']): Promise<string> {
  const path = 'jsonpath={.spec.holderIdentity}';
  const { stdout } = await kubectl([...IN_SYSTEM, 'get', 'lease', 'krake-hooks-jobs', '-o', path]);
  return stdout.split('_')[0] ?? '';
}

async function untilAnother(kubectl: Cluster['kubectl'], before: string): Promise<string> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const now = await leader(kubectl);
    if (now !== '' && now !== before) return now;
    await sleep(500);
  }
  throw new Error('no other replica leads after 60 s');
}

/** The command of this checkout, as a person would run it. */
async function krakeHooks(cluster: Cluster, ...args: readonly string[]): Promise<string> {
  const main = join(root, 'src/cli/main.ts');
  const flags = ['-n', NAMESPACE, '--kubeconfig', cluster.kubeconfig];
  const { stdout } = await runCommand(process.execPath, [main, ...args, ...flags]);
  return `$ krake-hooks ${args.join(' ')} -n ${NAMESPACE}\n${stdout.trim()}`;
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it did not happen that ${what}`);
}
