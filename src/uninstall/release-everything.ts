import { secretName } from '../contract/index.ts';
import type { FullKubeClient, KubeObject, Resource } from '../kube/index.ts';
import { eachObject } from './each-object.ts';
import { forEachBounded } from './for-each-bounded.ts';
import {
  APPLICATIONS,
  describeObject,
  HELD_WORKLOADS,
  isHeldByUs,
  isManaged,
  isOurFinalizer,
  MANAGED_SELECTOR,
  refOf,
  SECRETS,
} from './held-objects.ts';
import { insist, requestOf, type InsistDeps } from './insist.ts';
import { takeFinalizersOff } from './take-finalizers-off.ts';

export interface ReleaseDeps extends InsistDeps {
  readonly client: Pick<FullKubeClient, 'list' | 'get' | 'patch' | 'delete'>;
  /** Called as it goes on, with the number of finalizers taken off so far in this pass. */
  readonly onProgress?: (taken: number) => void;
}

export interface ReleaseOptions {
  /**
   * `all`: by their label, which takes the right to list Secrets. `of-applications`: those of the Applications that have a finalizer; whose
   * finalizer therefore goes after that of the Secret. Where the Application is being deleted its Secret is deleted too: nobody else might do
   * it, once the kind is gone.
   */
  readonly secrets: 'all' | 'of-applications';
  /** `deleted`: only those that are being deleted. */
  readonly applications: 'all' | 'deleted';
}

export interface Released {
  /** Objects by resource that have lost a finalizer of ours now. */
  readonly taken: Readonly<Record<string, number>>;
  readonly total: number;
  /** Applications that are being deleted, released or not. */
  readonly beingDeleted: number;
  /** What could not be done, and why; nothing else was held up by it. */
  readonly failures: readonly { readonly object: string; readonly error: unknown }[];
}

/** Each is one small write; more at once only wait inside the API server. */
const AT_ONCE = 32;

/**
 * One pass over the whole cluster that takes every finalizer of ours off. Safe to repeat at any time. A failure to list is thrown, a failure of
 * one object is reported.
 */
export async function releaseEverything(deps: ReleaseDeps, options: ReleaseOptions): Promise<Released> {
  const taken: Record<string, number> = {};
  const failures: { object: string; error: unknown }[] = [];
  let total = 0;
  let beingDeleted = 0;

  async function release(resource: Resource, { metadata }: KubeObject): Promise<boolean> {
    try {
      const outcome = await takeFinalizersOff(deps, refOf(resource, metadata), metadata, isOurFinalizer);
      if (outcome === 'taken') {
        taken[resource.plural] = (taken[resource.plural] ?? 0) + 1;
        total += 1;
        deps.onProgress?.(total);
      }
      return true;
    } catch (error) {
      failures.push({ object: describeObject(resource, metadata), error });
      return false;
    }
  }

  /** False: the Application must keep its finalizer, or nobody would find this Secret again. */
  async function releaseSecretOf(application: KubeObject): Promise<boolean> {
    const { namespace, name = '', deletionTimestamp } = application.metadata;
    const identity = { namespace, name: secretName(name) };
    const ref = refOf(SECRETS, identity);
    try {
      const secret = await insist(deps, () =>
        deps.client.get(ref, { metadataOnly: true, ...requestOf(deps) }),
      );
      if (secret === undefined) return true;
      const { metadata } = secret;
      if (isHeldByUs(metadata) && !(await release(SECRETS, secret))) return false;
      if (options.secrets === 'of-applications' && deletionTimestamp !== undefined && isManaged(metadata))
        await insist(deps, () => deps.client.delete(ref, { uid: metadata.uid ?? '', ...requestOf(deps) }));
      return true;
    } catch (error) {
      failures.push({ object: describeObject(SECRETS, identity), error });
      return false;
    }
  }

  async function releaseApplication(application: KubeObject): Promise<void> {
    const isDeleted = application.metadata.deletionTimestamp !== undefined;
    if (isDeleted) beingDeleted += 1;
    if (!isHeldByUs(application.metadata)) return;
    if (options.applications === 'deleted' && !isDeleted) return;
    if (await releaseSecretOf(application)) await release(APPLICATIONS, application);
  }

  const releaseAll = (resource: Resource, labelSelector?: string) =>
    forEachBounded(eachObject(deps, resource, labelSelector), AT_ONCE, async (object) => {
      if (isHeldByUs(object.metadata)) await release(resource, object);
    });

  for (const resource of HELD_WORKLOADS) await releaseAll(resource);
  if (options.secrets === 'all') await releaseAll(SECRETS, MANAGED_SELECTOR);
  await forEachBounded(eachObject(deps, APPLICATIONS), AT_ONCE, releaseApplication);
  return { taken, total, beingDeleted, failures };
}
