// `make demo`: all set-up, then the story of the complete hook on a real Kubernetes, told step by step. Exit code 0 only if all of it
// happened. Ctrl-C takes away what the demo made.
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { followApplications, followLogs } from './follow.ts';
import { say, step } from './narrator.ts';
import { runDemo, type DemoStage } from './run-demo.ts';
import { showInjection } from './show-injection.ts';

const root = join(import.meta.dirname, '..', '..');
const NAMESPACE = 'krake-demo';
const STORY_TIMEOUT_MS = 120_000;

await runDemo({ namespaces: [NAMESPACE], tell: tellStory });

async function tellStory({ cluster, kubectl, follow }: DemoStage): Promise<void> {
  step(`A namespace that opts in: kubectl label namespace ${NAMESPACE} hooks.krake.dev/enabled=true`);
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  say('nothing else in the cluster is touched');

  step('A Deployment and a Job, each with one annotation: hooks.krake.dev/hooks: complete');
  const applied = Date.now();
  follow(followLogs(cluster, NAMESPACE));
  const applications = follow(followApplications(cluster, NAMESPACE, applied));
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
  say(
    `kubectl get applications.hooks.krake.dev -A; kubectl -n ${NAMESPACE} describe applications.hooks.krake.dev deployment-web`,
  );
  say('kubectl -n krake-system logs deploy/krake-hooks-callbacks');
  say('examples/ has the manifests; "make cluster-down" takes the cluster away');
}

async function untilGone(kubectl: Cluster['kubectl'], object: string): Promise<void> {
  await kubectl(['-n', NAMESPACE, 'wait', '--for=delete', object, '--timeout=30s'], { timeoutMs: 40_000 });
}
