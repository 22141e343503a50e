import type { Resource } from '../kube/index.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, SERVICE_ACCOUNTS } from './own-rights.ts';

const core = (plural: string): Resource => ({ apiVersion: 'v1', plural });
const RBAC = 'rbac.authorization.k8s.io/v1';
const ADMISSION_REGISTRATION = 'admissionregistration.k8s.io/v1';

export const NAMESPACES = core('namespaces');
export const CRDS: Resource = { apiVersion: 'apiextensions.k8s.io/v1', plural: 'customresourcedefinitions' };

/** What the manifests install, by kind, in the order in which it is removed; a test compares it with them. */
export const INSTALLED: {
  /** Before the finalizers are taken off. */
  readonly running: readonly Resource[];
  /** After the Applications are gone. */
  readonly rest: readonly Resource[];
} = {
  running: [
    { apiVersion: 'apps/v1', plural: 'deployments' },
    { apiVersion: 'policy/v1', plural: 'poddisruptionbudgets' },
  ],
  rest: [
    { apiVersion: ADMISSION_REGISTRATION, plural: 'validatingadmissionpolicybindings' },
    { apiVersion: ADMISSION_REGISTRATION, plural: 'validatingadmissionpolicies' },
    core('services'),
    core('configmaps'),
    { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies' },
    { apiVersion: RBAC, plural: 'rolebindings' },
    { apiVersion: RBAC, plural: 'roles' },
    SERVICE_ACCOUNTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    { apiVersion: 'scheduling.k8s.io/v1', plural: 'priorityclasses' },
  ],
};
