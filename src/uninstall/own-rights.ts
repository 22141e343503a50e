import type { FullKubeClient, JointPatch, KubeObject, ObjectRef } from '../kube/index.ts';
import { insist, requestOf, type InsistDeps } from './insist.ts';
import { FINALIZER_UNINSTALL } from './held-objects.ts';
import { buildRemoval } from './take-finalizers-off.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
export const CLUSTER_ROLES = { apiVersion: RBAC, plural: 'clusterroles' } as const;
export const CLUSTER_ROLE_BINDINGS = { apiVersion: RBAC, plural: 'clusterrolebindings' } as const;
export const SERVICE_ACCOUNTS = { apiVersion: 'v1', plural: 'serviceaccounts' } as const;
const SELF_SUBJECT_REVIEWS = {
  apiVersion: 'authentication.k8s.io/v1',
  plural: 'selfsubjectreviews',
} as const;

/** ClusterRole and ClusterRoleBinding of the controller, in every overlay. */
export const CONTROLLER_ROLE = 'krake-hooks-controller';
/** The ServiceAccount of the controller, and that of all parts in one. */
export const CONTROLLER_ACCOUNTS = ['krake-hooks-controller', 'krake-hooks-all'] as const;

export interface OwnRightsDeps extends InsistDeps {
  readonly client: Pick<FullKubeClient, 'get' | 'create' | 'patchTogether'>;
}

interface SelfSubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

const ATTEMPTS = 5;

/**
 * Takes the finalizer off ClusterRole, ClusterRoleBinding and the ServiceAccount that this process uses, together: after that it may do nothing
 * more. Resolves with how many had it; 0: somebody else was faster.
 *
 * @throws the refusal, when nothing was changed in the end
 */
export async function giveUpOwnRights(deps: OwnRightsDeps): Promise<number> {
  const refs = await ownRefs(deps);
  for (let attempt = 1; ; attempt++) {
    const patches = await buildPatches(deps, refs);
    if (patches.length === 0) return 0;
    const outcomes = await deps.client.patchTogether(patches, requestOf(deps));
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refused === undefined) return patches.length;
    const none = outcomes.every((outcome) => outcome.status === 'rejected');
    // Some made: the rights to make the others are gone, or they were changed at the same moment. Only looking again tells.
    if (attempt >= ATTEMPTS && none) throw refused.reason;
    if (attempt >= ATTEMPTS) return patches.length;
  }
}

async function buildPatches(deps: OwnRightsDeps, refs: readonly ObjectRef[]): Promise<JointPatch[]> {
  const patches = await Promise.all(
    refs.map(async (ref): Promise<JointPatch[]> => {
      const found = await insist(deps, () =>
        deps.client.get(ref, { metadataOnly: true, ...requestOf(deps) }),
      );
      const body = found && buildRemoval(found.metadata, (finalizer) => finalizer === FINALIZER_UNINSTALL);
      return body === undefined ? [] : [{ ref, patch: { type: 'json', body } }];
    }),
  );
  return patches.flat();
}

/** The roles by their name; the ServiceAccount is asked for, since overlays choose it. A person's kubeconfig has none. */
async function ownRefs(deps: OwnRightsDeps): Promise<ObjectRef[]> {
  const roles = [CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS].map((resource) => ({
    resource,
    name: CONTROLLER_ROLE,
  }));
  const review = await insist(deps, () =>
    deps.client.create<SelfSubjectReview>(
      SELF_SUBJECT_REVIEWS,
      undefined,
      { apiVersion: SELF_SUBJECT_REVIEWS.apiVersion, kind: 'SelfSubjectReview' },
      requestOf(deps),
    ),
  );
  const account = parseServiceAccount(review.status?.userInfo?.username ?? '');
  return account === undefined ? roles : [...roles, { resource: SERVICE_ACCOUNTS, ...account }];
}

export function parseServiceAccount(
  username: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username);
  const [, namespace, name] = match ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}
