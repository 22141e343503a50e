import { JOBS } from '../src/jobs/index.ts';
import type { KubeObject, WatchClient } from '../src/kube/index.ts';

export interface JobEnds {
  /** `performance.now()` when the watch first showed the condition Complete as True, by the Job's name. */
  readonly seen: ReadonlyMap<string, number>;
  /** @throws Error when the watch broke off before */
  stop(): Promise<void>;
}

interface Job extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** A plain watch of Jobs beside those that are measured, in the process of the receiver: both note their times by the same clock. */
export async function watchJobEnds(client: WatchClient, namespace: string): Promise<JobEnds> {
  const seen = new Map<string, number>();
  const end = new AbortController();
  const { resourceVersion } = await client.list(JOBS, namespace);
  const events = await client.watch<Job>(JOBS, namespace, {
    signal: end.signal,
    resourceVersion,
    timeoutSeconds: 3_600,
    idleTimeoutMs: 600_000,
  });
  const read = async (): Promise<void> => {
    for await (const event of events) {
      if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
      const now = performance.now();
      const { metadata, status } = event.object;
      const isDone = status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True');
      const { name = '' } = metadata;
      if (isDone === true && !seen.has(name)) seen.set(name, now);
    }
  };
  let brokeOff = false;
  const reading = read()
    .catch((error: unknown) => error)
    .finally(() => {
      brokeOff = !end.signal.aborted;
    });
  return {
    seen,
    async stop() {
      end.abort();
      const error = await reading;
      if (brokeOff) throw new Error('the watch of Jobs broke off', { cause: error });
    },
  };
}
