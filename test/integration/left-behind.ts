import { APPLICATIONS } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS, type WorkloadKind } from '../../src/contract/index.ts';
import { isNotFound, type KubeObject, type Resource, type WatchClient } from '../../src/kube/index.ts';
import { CRDS, INSTALLED, NAMESPACES } from '../../src/uninstall/index.ts';

/** Workloads that can have a finalizer of ours. */
export const HELD_KINDS = (Object.keys(WORKLOAD_KINDS) as WorkloadKind[]).filter(
  (kind) => kind !== 'Pod' && kind !== 'CronJob',
);
export const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;
const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' } as const;
const ADMISSION_REGISTRATION = 'admissionregistration.k8s.io/v1';

/** Every kind that the manifests install. */
export const INSTALLED_KINDS: readonly Resource[] = [
  { apiVersion: ADMISSION_REGISTRATION, plural: 'validatingwebhookconfigurations' },
  { apiVersion: ADMISSION_REGISTRATION, plural: 'mutatingwebhookconfigurations' },
  ...INSTALLED.running,
  ...INSTALLED.rest,
  CRDS,
  NAMESPACES,
];
/** Without a label: the CA's Secret and the Lease. */
const MADE_BY_THE_SERVICE = ['krake-hooks-ca', 'krake-hooks-controller'];

/** Everything in the cluster that has a finalizer of ours, as `plural namespace/name`. */
export async function findHeld(client: Pick<WatchClient, 'list'>): Promise<string[]> {
  const resources = [...HELD_KINDS.map((kind) => WORKLOAD_KINDS[kind]), SECRETS, APPLICATIONS];
  const isHeld = ({ metadata }: KubeObject) =>
    metadata.finalizers?.some((finalizer) => finalizer.startsWith('hooks.krake.dev/')) === true;
  return namesOf(client, resources, isHeld);
}

/** Everything of the installation that is there, as `plural namespace/name`. */
export async function findInstalled(client: Pick<WatchClient, 'list'>): Promise<string[]> {
  const isLabelled = ({ metadata }: KubeObject) =>
    metadata.labels?.['app.kubernetes.io/part-of'] === 'krake-hooks';
  const isMade = ({ metadata }: KubeObject) => MADE_BY_THE_SERVICE.includes(metadata.name ?? '');
  return [
    ...(await namesOf(client, INSTALLED_KINDS, isLabelled)),
    ...(await namesOf(client, [SECRETS, LEASES], isMade)),
  ];
}

async function namesOf(
  client: Pick<WatchClient, 'list'>,
  resources: readonly Resource[],
  fits: (object: KubeObject) => boolean,
): Promise<string[]> {
  const found = await Promise.all(
    resources.map(async (resource) =>
      (await listAll(client, resource))
        .filter(fits)
        .map(
          ({ metadata: { namespace, name = '' } }) =>
            `${resource.plural} ${namespace === undefined ? '' : `${namespace}/`}${name}`,
        ),
    ),
  );
  return found.flat();
}

/** None of a kind that is not there. */
async function listAll(
  client: Pick<WatchClient, 'list'>,
  resource: Resource,
): Promise<readonly KubeObject[]> {
  try {
    return (await client.list(resource, undefined, { metadataOnly: true })).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
