import { WORKLOAD_KINDS } from '../contract/index.ts';
import type { KubeClient, KubeObject } from '../kube/index.ts';
import { asRead } from './as-read.ts';
import type { ReconcileDeps } from './controller-deps.ts';

/** What is kept of a CronJob that asks for hooks: enough to see that it has to be looked at. */
export interface CronJobFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Its annotations under our group, as one text. */
  readonly asks: string;
  readonly generation: number;
}

type Deps = Pick<ReconcileDeps, 'events' | 'logger' | 'metrics' | 'stampPatch'> & {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
};

/**
 * Repairs the stamp of a CronJob's job template. A CronJob is no application: each of its Jobs is one. Safe to repeat; throws what the
 * API server says.
 */
export async function reconcileCronJob(
  namespace: string,
  name: string,
  deps: Deps,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion } = WORKLOAD_KINDS.CronJob;
  const ref = { resource: WORKLOAD_KINDS.CronJob, namespace, name };
  const found = await deps.client.get<KubeObject>(ref, { signal });
  if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
  const patch = deps.stampPatch({ ...found, apiVersion, kind: 'CronJob' });
  if (patch === undefined) return;
  const { uid = '', resourceVersion = '' } = found.metadata;
  await deps.client.patch(ref, { type: 'json', body: asRead(resourceVersion, patch) }, { signal });
  deps.metrics.action('stamp-repaired');
  deps.logger.info('CronJob stamp repaired', { namespace, name, uid });
  deps.events.record({
    regarding: { apiVersion, kind: 'CronJob', name, namespace, uid },
    type: 'Normal',
    reason: 'StampRepaired',
    action: 'PatchTemplate',
    note: `the job template of CronJob ${name} was brought in line with its annotations`,
  });
}
