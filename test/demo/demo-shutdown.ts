// `make demo-shutdown`: a stateful application is deleted, foreground-deleted, drained and deleted with its namespace, on a real
// Kubernetes with real containers. Each time it is asked first, saves its state, and only then goes. Exit code 0 only if all of it happened.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { followApplications } from './follow.ts';
import { followJournal, type Journal } from './journal.ts';
import { say, step } from './narrator.ts';
import { runDemo, type DemoStage } from './run-demo.ts';

const NAMESPACE = 'krake-stateful';
const STORE_NAMESPACE = 'krake-stateful-store';
const MANIFESTS = join(import.meta.dirname, 'stateful');
/** It should have something to lose. */
const COUNTING_MS = 3_000;

await runDemo({ namespaces: [NAMESPACE, STORE_NAMESPACE], tell: tellStory, restore: uncordon });

async function tellStory({ cluster, kubectl, follow }: DemoStage): Promise<void> {
  step('A stateful application (examples/stateful)');
  say('It counts, in memory. Asked to shut down it saves its count in a store; on SIGTERM it saves nothing.');
  say('What it has: the annotation hooks.krake.dev/hooks: shutdown, and a Service named "shutdown".');
  await apply(kubectl);
  const began = Date.now();
  follow(followApplications(cluster, NAMESPACE, began));
  const journal = follow(followJournal(cluster, STORE_NAMESPACE, began));
  let pod = await counting(kubectl, journal, 0);

  const goAway = async (title: string, command: readonly string[]): Promise<void> => {
    step(`${title}: kubectl ${command.join(' ')}`);
    await kubectl(command, { timeoutMs: 90_000 });
    const { saved, terminated } = await journal.untilTerminated(pod);
    say(`=> saved ${saved} before SIGTERM, and had ${terminated} when it went: nothing is lost`);
  };
  const comeBack = async (how: () => Promise<unknown>): Promise<void> => {
    const { count } = journal.lastSaved();
    await how();
    pod = await counting(kubectl, journal, count);
    say(`=> its successor goes on from ${count}`);
  };

  await goAway('It is deleted', ['-n', NAMESPACE, 'delete', 'deployment', 'counter']);
  await tellEvents(kubectl);
  step('It is created again');
  await comeBack(() => apply(kubectl));

  const foreground = ['-n', NAMESPACE, 'delete', 'deployment', 'counter', '--cascade=foreground'];
  await goAway('It is deleted in the foreground, as Argo CD does', foreground);
  step('It is created again');
  await comeBack(() => apply(kubectl));

  const nodes = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}']);
  const drain = ['drain', nodes.stdout, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s'];
  // The local cluster's only node also runs krake-hooks and the store: only the application has to leave.
  await goAway('Its node is drained', [...drain, '--pod-selector=app=counter']);
  step('The node is back');
  await comeBack(() => uncordon(cluster));

  await goAway('Its whole namespace is deleted', ['delete', 'namespace', NAMESPACE, '--timeout=60s']);

  step('Where to look next');
  say(`export KUBECONFIG=${cluster.kubeconfig}`);
  say(`kubectl apply -k ${MANIFESTS}; kubectl -n ${STORE_NAMESPACE} logs -f deployment/store`);
  say('examples/stateful/README.md; "make cluster-down" takes the cluster away');
}

async function apply(kubectl: Cluster['kubectl']): Promise<void> {
  await kubectl(['apply', '-k', MANIFESTS]);
  const status = ['rollout', 'status', 'deployment/store', '--timeout=60s'];
  await kubectl(['-n', STORE_NAMESPACE, ...status], { timeoutMs: 70_000 });
}

/** Waits until the application runs and has counted on. @returns its pod */
async function counting(kubectl: Cluster['kubectl'], journal: Journal, from: number): Promise<string> {
  const status = ['rollout', 'status', 'deployment/counter', '--timeout=60s'];
  await kubectl(['-n', NAMESPACE, ...status], { timeoutMs: 70_000 });
  const started = await journal.untilStarted();
  if (started.count !== from) throw new Error(`${started.pod} began with ${started.count}, not with ${from}`);
  await sleep(COUNTING_MS);
  return started.pod;
}

async function tellEvents(kubectl: Cluster['kubectl']): Promise<void> {
  const columns = 'custom-columns=REASON:.reason,MESSAGE:.message';
  const selector = '--field-selector=involvedObject.kind=Application';
  const { stdout } = await kubectl(['-n', NAMESPACE, 'get', 'events', selector, '-o', columns]);
  say('\nWhat kubectl describe applications.hooks.krake.dev deployment-counter tells of it:');
  say(stdout.trim());
}

async function uncordon(cluster: Cluster): Promise<unknown> {
  const { stdout } = await cluster.kubectl(['get', 'nodes', '-o', 'name'], { allowFailure: true });
  const nodes = stdout.split('\n').filter((name) => name !== '');
  return cluster.kubectl(['uncordon', ...nodes], { allowFailure: true });
}
