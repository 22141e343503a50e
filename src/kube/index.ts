export { isConflict, isNotFound, KubeApiError } from './kube-api-error.ts';
export type * from './kube-client.ts';
export { KubeUnreachableError } from './kube-unreachable-error.ts';
