// `make demo`: all set-up, then the story of the complete hook on a real Kubernetes, told step by step. Exit code 0 only if all of it
// happened. Ctrl-C takes away what the demo made.
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { connectToCluster } from '../cluster/running-cluster.ts';
import { harness, install, startCluster } from '../e2e/installation.ts';
import { followApplications, followLogs, type Follower } from './follow.ts';
import { say, step, told } from './narrator.ts';
import { showInjection } from './show-injection.ts';

const root = join(import.meta.dirname, '..', '..');
const NAMESPACE = 'krake-demo';
const STORY_TIMEOUT_MS = 120_000;

/** A cluster that was there before stays. */
const wasUp = await connectToCluster().then(
  () => true,
  () => false,
);
let cluster: Cluster | undefined;
const followers: Follower[] = [];
const story = { interrupted: false };
process.on('SIGINT', () => {
  if (story.interrupted) return; // once is enough; a second one must not leave half of it behind
  story.interrupted = true;
  console.log('\ninterrupted: taking the demo away again ...');
  void cleanUp().finally(() => process.exit(130));
});

try {
  await tellStory();
} catch (error) {
  // Ctrl-C reaches the commands that run, too; taking away goes on (see above) and ends the process.
  if (story.interrupted) await new Promise(() => undefined);
  console.error(
    `\nThe demo did not come to its end: ${error instanceof Error ? error.message : String(error)}`,
  );
  console.error(
    'Look at: make cluster-status; kubectl -n krake-system get pods; kubectl -n krake-system logs deploy/krake-hooks-controller',
  );
  process.exitCode = 1;
} finally {
  for (const follower of followers) follower.stop();
}

async function tellStory(): Promise<void> {
  step('A Kubernetes on this machine');
  cluster = await startCluster();
  if (!cluster.capabilities.node)
    throw new Error(
      'this cluster has no node that runs containers (root on Linux is needed for the local one)',
    );
  const running = cluster;
  const kubectl: Cluster['kubectl'] = (args, options) => running.kubectl(args, options);

  step('The image, built from this checkout, and krake-hooks installed: kubectl apply -k manifests');
  await install(cluster, (part) => say(`krake-hooks-${part} is ready`));

  step(`A namespace that opts in: kubectl label namespace ${NAMESPACE} hooks.krake.dev/enabled=true`);
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=60s'], {
    timeoutMs: 70_000,
  });
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  say('nothing else in the cluster is touched');

  step('A Deployment and a Job, each with one annotation: hooks.krake.dev/hooks: complete');
  const applied = Date.now();
  followers.push(followLogs(cluster, NAMESPACE));
  const applications = followApplications(cluster, NAMESPACE, applied);
  followers.push(applications);
  say((await kubectl(['apply', '-k', join(root, 'test/demo')])).stdout.trim());

  step('What admission put into their pods');
  await showInjection(cluster, NAMESPACE, 'deployment-web');
  await showInjection(cluster, NAMESPACE, 'job-train');

  step('The containers work, then say themselves that they are done (curl -X PUT ... $KRAKE_COMPLETE_URL)');
  await applications.untilPhase(['deployment-web', 'job-train'], 'Completed', STORY_TIMEOUT_MS);

  step('And they are gone');
  await untilGone(kubectl, 'deployment/web');
  await untilGone(kubectl, 'job/train');
  say('no Deployment "web", no Job "train": each was deleted because it said that it was done');
  const events = await kubectl([
    '-n',
    NAMESPACE,
    'get',
    'events',
    '--field-selector=involvedObject.kind=Application',
    '--sort-by=.metadata.creationTimestamp',
    '-o',
    'custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message',
  ]);
  say(events.stdout.trim());

  step('Where to look next');
  say(`export KUBECONFIG=${cluster.kubeconfig}`);
  say(`kubectl get applications -A; kubectl -n ${NAMESPACE} describe application deployment-web`);
  say('kubectl -n krake-system logs deploy/krake-hooks-callbacks');
  say('examples/ has the manifests; "make cluster-down" takes the cluster away');
  console.log(`\nDone: ${told()} steps, all of them happened.`);
}

async function untilGone(kubectl: Cluster['kubectl'], object: string): Promise<void> {
  await kubectl(['-n', NAMESPACE, 'wait', '--for=delete', object, '--timeout=30s'], { timeoutMs: 40_000 });
}

async function cleanUp(): Promise<void> {
  for (const follower of followers) follower.stop();
  await cluster?.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false'], {
    allowFailure: true,
  });
  if (!wasUp) await harness('down');
}
