import type { FullKubeClient } from './kube-client.ts';

export interface KubeClientOptions {
  /** Path of a kubeconfig; without it the pod's service account, and outside of a pod the usual kubeconfig (KUBECONFIG, ~/.kube/config). */
  readonly kubeconfigPath?: string;
  /** Context of the kubeconfig; default: its current one. */
  readonly context?: string;
  /** URL of the API server for a pod's service account; default: `https://kubernetes.default.svc`. */
  readonly inClusterUrl?: string;
  /** Where the pod's service account is mounted; default: Kubernetes' own place. */
  readonly serviceAccountDirectory?: string;
  /** `name/version`; the name becomes the field manager of what is written. */
  readonly userAgent: string;
  /** Time limit of each request but a watch; default 10 s. */
  readonly requestTimeoutMs?: number;
  /** Requests that start in a second, with as many at once after a pause; default: not limited. */
  readonly requestsPerSecond?: number;
}

export function createKubeClient(options: KubeClientOptions): FullKubeClient {
  throw new Error(`not built yet: ${options.userAgent}`);
}
