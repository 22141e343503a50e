import { APPLICATIONS, MANAGED_BY_LABEL } from '../applications/index.ts';
import { GROUP, MANAGED_BY, WORKLOAD_KINDS, type WorkloadKind } from '../contract/index.ts';
import type { ObjectMeta, ObjectRef, Resource } from '../kube/index.ts';

/** Every finalizer of ours begins so; the one on our own roles ends so. */
const PREFIX = `${GROUP}/`;

/**
 * Finalizer on the controller's ClusterRole, ClusterRoleBinding and ServiceAccount, from the manifests: when everything is deleted at once, the
 * controller keeps its rights until it has taken its finalizers off everything else.
 */
export const FINALIZER_UNINSTALL = `${GROUP}/uninstall`;

/** Label of whatever the manifests install. */
export const PART_OF_LABEL = 'app.kubernetes.io/part-of';
export const PART_OF = 'krake-hooks';
export const PART_OF_SELECTOR = `${PART_OF_LABEL}=${PART_OF}`;

export const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;
export const MANAGED_SELECTOR = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
export { APPLICATIONS };

/** Pods have none (a finalizer holds the object, not its containers), and a CronJob's runs have their own. */
const NEVER_HELD: readonly WorkloadKind[] = ['Pod', 'CronJob'];

export const HELD_WORKLOADS: readonly Resource[] = Object.entries(WORKLOAD_KINDS)
  .filter(([kind]) => !NEVER_HELD.includes(kind as WorkloadKind))
  .map(([, resource]) => resource);

export function isOurFinalizer(finalizer: string): boolean {
  return finalizer.startsWith(PREFIX);
}

export function isHeldByUs({ finalizers }: ObjectMeta): boolean {
  return finalizers?.some(isOurFinalizer) === true;
}

/** Made by the controller. */
export function isManaged({ labels }: ObjectMeta): boolean {
  return labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
}

export interface Identity {
  readonly namespace?: string | undefined;
  readonly name?: string;
}

/** `deployments shop/web`, for people. */
export function describeObject(resource: Resource, { namespace, name }: Identity): string {
  return `${resource.plural} ${namespace === undefined ? '' : `${namespace}/`}${name ?? ''}`;
}

export function refOf(resource: Resource, { namespace, name = '' }: Identity): ObjectRef {
  return { resource, name, ...(namespace === undefined ? {} : { namespace }) };
}
