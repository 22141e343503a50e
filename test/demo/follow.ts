import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { say } from './narrator.ts';

const POLL_MS = 250;

export interface Follower {
  stop(): void;
}

export interface ApplicationFollower extends Follower {
  /** Resolves when all of them have reached the phase. @throws Error naming those that have not, at the time limit */
  untilPhase(names: readonly string[], phase: string, timeoutMs: number): Promise<void>;
}

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly phase?: string };
  }[];
}

/** Tells each change of phase of the namespace's Applications, with the seconds since the start. */
export function followApplications(
  cluster: Cluster,
  namespace: string,
  startedAt: number,
): ApplicationFollower {
  const phases = new Map<string, string>();
  let stopped = false;

  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { stdout, code } = await cluster.kubectl(['-n', namespace, 'get', 'applications', '-o', 'json'], {
        allowFailure: true,
      });
      if (code === 0) {
        for (const { metadata, status } of (JSON.parse(stdout) as Listed).items) {
          const phase = status?.phase ?? '';
          if (phase === '' || phases.get(metadata.name) === phase) continue;
          phases.set(metadata.name, phase);
          say(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${metadata.name}: ${phase}`);
        }
      }
      await sleep(POLL_MS);
    }
  };
  tellUntil(loop, () => stopped);

  return {
    stop() {
      stopped = true;
    },
    async untilPhase(names, phase, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      const missing = () => names.filter((name) => phases.get(name) !== phase);
      while (missing().length > 0) {
        if (Date.now() > deadline)
          throw new Error(`not ${phase} after ${timeoutMs / 1000} s: ${missing().join(', ')}`);
        await sleep(POLL_MS);
      }
    },
  };
}

/** Repeats each new line that a container of the namespace prints. */
export function followLogs(cluster: Cluster, namespace: string): Follower {
  const seen = new Map<string, number>();
  let stopped = false;

  const readPod = async (pod: string): Promise<void> => {
    const { stdout, code } = await cluster.kubectl(['-n', namespace, 'logs', pod], { allowFailure: true });
    if (code !== 0) return; // not started yet, or gone already
    const lines = stdout.split('\n').filter((line) => line !== '');
    for (const line of lines.slice(seen.get(pod) ?? 0)) say(`         [${pod}] ${line}`);
    seen.set(pod, lines.length);
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { stdout } = await cluster.kubectl(['-n', namespace, 'get', 'pods', '-o', 'name'], {
        allowFailure: true,
      });
      for (const pod of stdout.split('\n').filter((name) => name !== ''))
        await readPod(pod.replace('pod/', ''));
      await sleep(POLL_MS);
    }
  };
  tellUntil(loop, () => stopped);
  return {
    stop() {
      stopped = true;
    },
  };
}

/** A follower that fails says so and ends; once it is to stop (Ctrl-C ends its kubectl too) nothing is worth a word. */
function tellUntil(loop: () => Promise<void>, isStopped: () => boolean): void {
  loop().catch((error: unknown) => {
    if (!isStopped())
      say(`(cannot follow any more: ${error instanceof Error ? error.message : String(error)})`);
  });
}
