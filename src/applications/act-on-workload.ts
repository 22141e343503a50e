import { WORKLOAD_KINDS, type Auth, type CompleteAction, type Hook } from '../contract/index.ts';
import type { KubeClient, ObjectRef } from '../kube/index.ts';
import { asRead } from './as-read.ts';
import type { LiveWorkload } from './live-workload.ts';
import { claimPatch, releasePatch } from './plan-claims.ts';

type Client = Pick<KubeClient, 'patch' | 'delete'>;

/** Writes to one workload as it was read: with another UID or a newer resourceVersion each of them is refused (409). */
export interface WorkloadActions {
  /** False: it was gone already. */
  delete(workload: LiveWorkload): Promise<boolean>;
  /** To zero replicas; a Job is suspended. */
  scaleToZero(workload: LiveWorkload): Promise<void>;
  repairStamp(workload: LiveWorkload): Promise<void>;
  claim(
    workload: LiveWorkload,
    application: string,
    hooks: readonly Hook[],
    completeAction: CompleteAction,
    auth: Auth,
  ): Promise<void>;
  release(workload: LiveWorkload): Promise<void>;
}

export function createWorkloadActions(
  client: Client,
  namespace: string,
  signal: AbortSignal,
): WorkloadActions {
  const refOf = ({ ref }: LiveWorkload): ObjectRef => ({
    resource: WORKLOAD_KINDS[ref.kind],
    namespace,
    name: ref.name,
  });
  const identityOf = ({ ref, resourceVersion }: LiveWorkload) => ({ uid: ref.uid, resourceVersion });

  /** A merge patch with uid and resourceVersion is refused when they do not match. */
  const merge = async (workload: LiveWorkload, metadata: object, spec?: object, subresource?: 'scale') => {
    const body = {
      metadata: { ...identityOf(workload), ...metadata },
      ...(spec === undefined ? {} : { spec }),
    };
    const ref = subresource === undefined ? refOf(workload) : { ...refOf(workload), subresource };
    await client.patch(ref, { type: 'merge', body }, { signal });
  };

  return {
    delete: (workload) =>
      client.delete(refOf(workload), {
        ...identityOf(workload),
        propagationPolicy: 'Background',
        signal,
      }),
    async scaleToZero(workload) {
      if (workload.ref.kind === 'Job') await merge(workload, {}, { suspend: true });
      else await merge(workload, {}, { replicas: 0 }, 'scale');
    },
    async repairStamp(workload) {
      const body = asRead(workload.resourceVersion, workload.stampPatch ?? []);
      await client.patch(refOf(workload), { type: 'json', body }, { signal });
    },
    claim: (workload, application, hooks, completeAction, auth) =>
      merge(workload, claimPatch(application, hooks, completeAction, auth)),
    release: (workload) => merge(workload, releasePatch()),
  };
}
