import { isWorkloadKind, WORKLOAD_KINDS } from '../contract/index.ts';
import type { KubeClient } from '../kube/index.ts';
import type { JobCaches } from './job-caches.ts';
import { readAsks, type Asks, type JobFacts } from './job-facts.ts';

/**
 * What the annotations of the Job's controller ask for: a CronJob's from the watch cache, another workload's read now. Undefined: there is no controller, it is
 * gone, is a namesake, is of a kind that we don't know, or asks for nothing.
 */
export async function readOwnerAsks(
  { namespace, owner }: Pick<JobFacts, 'namespace' | 'owner'>,
  {
    client,
    caches,
  }: { readonly client: Pick<KubeClient, 'get'>; readonly caches: Pick<JobCaches, 'cronJobs'> },
): Promise<Asks | undefined> {
  if (owner === undefined) return undefined;
  if (owner.kind === 'CronJob') {
    const cronJob = caches.cronJobs.get(`${namespace}/${owner.name}`);
    return cronJob?.uid === owner.uid ? cronJob.asks : undefined;
  }
  if (!isWorkloadKind(owner.kind)) return undefined;
  const resource = WORKLOAD_KINDS[owner.kind];
  if (resource.apiVersion !== owner.apiVersion) return undefined;
  const workload = await client.get({ resource, namespace, name: owner.name }, { metadataOnly: true });
  return workload?.metadata.uid === owner.uid ? readAsks(workload.metadata.annotations) : undefined;
}
