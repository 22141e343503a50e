import type { Cluster } from '../cluster/cluster.ts';
import { connectToCluster } from '../cluster/running-cluster.ts';
import { harness, install, startCluster } from '../e2e/installation.ts';
import type { Follower } from './follow.ts';
import { say, step, told } from './narrator.ts';

export interface DemoStage {
  readonly cluster: Cluster;
  readonly kubectl: Cluster['kubectl'];
  /** Stopped when the demo ends, however it ends. */
  readonly follow: <F extends Follower>(follower: F) => F;
}

export interface Demo {
  /** Taken away before the story, in case an earlier one was cut off, and after Ctrl-C. */
  readonly namespaces: readonly string[];
  /** Runs on a cluster with krake-hooks installed. @throws Error when something of it did not happen */
  tell(stage: DemoStage): Promise<void>;
  /** Takes back on Ctrl-C what is in no namespace. */
  restore?(cluster: Cluster): Promise<unknown>;
}

/** All set-up, then the story. Exit code 0 only if all of it happened. Ctrl-C takes away what the demo made. */
export async function runDemo(demo: Demo): Promise<void> {
  /** A cluster that was there before stays. */
  const wasUp = await connectToCluster().then(
    () => true,
    () => false,
  );
  const followers: Follower[] = [];
  const now: { cluster?: Cluster; interrupted: boolean } = { interrupted: false };
  const cleanUp = async (): Promise<void> => {
    for (const follower of followers) follower.stop();
    if (now.cluster !== undefined) {
      await demo.restore?.(now.cluster);
      const flags = ['--ignore-not-found', '--wait=false'];
      await now.cluster.kubectl(['delete', 'namespace', ...demo.namespaces, ...flags], {
        allowFailure: true,
      });
    }
    if (!wasUp) await harness('down');
  };
  process.on('SIGINT', () => {
    if (now.interrupted) return; // once is enough; a second one must not leave half of it behind
    now.interrupted = true;
    console.log('\ninterrupted: taking the demo away again ...');
    void cleanUp().finally(() => process.exit(130));
  });
  try {
    now.cluster = await setUp(demo);
    const { cluster } = now;
    await demo.tell({
      cluster,
      kubectl: (args, options) => cluster.kubectl(args, options),
      follow(follower) {
        followers.push(follower);
        return follower;
      },
    });
    console.log(`\nDone: ${told()} steps, all of them happened.`);
  } catch (error) {
    // Ctrl-C reaches the commands that run, too; taking away goes on (see above) and ends the process.
    if (now.interrupted) await new Promise(() => undefined);
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
}

async function setUp(demo: Demo): Promise<Cluster> {
  step('A Kubernetes on this machine');
  const cluster = await startCluster();
  if (!cluster.capabilities.node)
    throw new Error(
      'this cluster has no node that runs containers (root on Linux is needed for the local one)',
    );
  step('The image, built from this checkout, and krake-hooks installed: kubectl apply -k manifests');
  await install(cluster, (part) => say(`krake-hooks-${part} is ready`));
  await cluster.kubectl(['delete', 'namespace', ...demo.namespaces, '--ignore-not-found', '--timeout=90s'], {
    timeoutMs: 100_000,
  });
  return cluster;
}
