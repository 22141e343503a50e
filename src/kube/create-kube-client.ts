import { systemClock } from './clock.ts';
import type { CredentialSource } from './credentials.ts';
import { isNotFound } from './kube-api-error.ts';
import type {
  DeleteOptions,
  FullKubeClient,
  KubeObject,
  ObjectList,
  ObjectRef,
  Patch,
  RequestOptions,
  Resource,
} from './kube-client.ts';
import { createKubeconfigSource } from './kubeconfig-credentials.ts';
import { patchTogether } from './patch-together.ts';
import { buildPatch, limits, writeQuery } from './patch-request.ts';
import { collectionPath, objectPath, withQuery } from './resource-path.ts';
import { createRestClient, type RestClient } from './rest-client.ts';
import {
  createServiceAccountSource,
  hasServiceAccount,
  SERVICE_ACCOUNT_DIRECTORY,
} from './service-account-credentials.ts';
import { readWatchEvents } from './watch-stream.ts';

export interface KubeClientOptions {
  /** Path of a kubeconfig; without it the pod's service account, and outside of a pod the usual kubeconfig (KUBECONFIG, ~/.kube/config). */
  readonly kubeconfigPath?: string | undefined;
  /** Context of the kubeconfig; default: its current one. */
  readonly context?: string | undefined;
  /** URL of the API server for a pod's service account; default: `https://kubernetes.default.svc`. */
  readonly inClusterUrl?: string | undefined;
  /** Where the pod's service account is mounted; default: Kubernetes' own place. */
  readonly serviceAccountDirectory?: string | undefined;
  /** `name/version`; the name becomes the field manager of what is written. */
  readonly userAgent: string;
  /** Time limit of each request but a watch; default 10 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Requests that start in a second, with as many at once after a pause; default: not limited. */
  readonly requestsPerSecond?: number | undefined;
}

const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
const PARTIAL_METADATA = 'g=meta.k8s.io;v=v1';
const ACCEPT_METADATA = `application/json;as=PartialObjectMetadata;${PARTIAL_METADATA}`;
const ACCEPT_METADATA_LIST = `application/json;as=PartialObjectMetadataList;${PARTIAL_METADATA}`;

/**
 * A client of the Kubernetes API over HTTP/1.1 keep-alive connections. Reads credentials with the first request and again every minute, and at
 * once after a 401. Nothing is tried again by itself except after such a 401, and a GET whose idle connection turned out to be closed.
 */
export function createKubeClient(options: KubeClientOptions): FullKubeClient {
  const rest = createRestClient(chooseSource(options), systemClock, {
    userAgent: options.userAgent,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    requestsPerSecond: options.requestsPerSecond,
  });
  return {
    ...objectMethods(rest),
    ...watchMethods(rest),
    patchTogether: (patches, request = {}) => patchTogether(rest, patches, request),
    getRaw: (path, { accept, ...request } = {}) =>
      rest.send({ method: 'GET', path, ...limits(request), ...(accept === undefined ? {} : { accept }) }),
    close: () => rest.close(),
  };
}

function chooseSource(options: KubeClientOptions): CredentialSource {
  const directory = options.serviceAccountDirectory ?? SERVICE_ACCOUNT_DIRECTORY;
  if (options.kubeconfigPath === undefined && hasServiceAccount(directory)) {
    return createServiceAccountSource(directory, options.inClusterUrl ?? 'https://kubernetes.default.svc');
  }
  return createKubeconfigSource(options.kubeconfigPath, options.context);
}

type ObjectMethods = Pick<FullKubeClient, 'get' | 'create' | 'replace' | 'patch' | 'delete'>;

// Answers are cast to what the caller says it asked for; callers validate what they rely on (KubeObject).
function objectMethods(rest: RestClient): ObjectMethods {
  return {
    get: async <T extends KubeObject>(
      ref: ObjectRef,
      request: RequestOptions & { readonly metadataOnly?: boolean } = {},
    ) => {
      const accept = request.metadataOnly === true ? { accept: ACCEPT_METADATA } : {};
      return (await unlessNotFound(
        rest.send({ method: 'GET', path: objectPath(ref), ...accept, ...limits(request) }),
      )) as T | undefined;
    },
    create: async <T extends KubeObject>(
      resource: Resource,
      namespace: string | undefined,
      body: unknown,
      request: RequestOptions = {},
    ) => {
      const path = withQuery(collectionPath(resource, namespace), writeQuery(request));
      return (await rest.send({ method: 'POST', path, body, ...limits(request) })) as T;
    },
    replace: async <T extends KubeObject>(ref: ObjectRef, body: unknown, request: RequestOptions = {}) => {
      const path = withQuery(objectPath(ref), writeQuery(request));
      return (await rest.send({ method: 'PUT', path, body, ...limits(request) })) as T;
    },
    patch: async <T extends KubeObject>(ref: ObjectRef, patch: Patch, request: RequestOptions = {}) => {
      return (await rest.send(buildPatch(ref, patch, request))) as T;
    },
    delete: async (ref: ObjectRef, request: DeleteOptions) => {
      const { uid, resourceVersion, propagationPolicy } = request;
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
        ...(request.dryRun === true ? { dryRun: ['All'] } : {}),
      };
      const path = objectPath(ref);
      const answer = await unlessNotFound(rest.send({ method: 'DELETE', path, body, ...limits(request) }));
      return answer !== undefined;
    },
  };
}

interface ListAnswer<T extends KubeObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  /** Null where a server has no item. */
  readonly items: readonly T[] | null;
}

function watchMethods(rest: RestClient): Pick<FullKubeClient, 'list' | 'watch'> {
  return {
    list: async <T extends KubeObject>(
      resource: Resource,
      namespace: string | undefined,
      request: Parameters<FullKubeClient['list']>[2] = {},
    ): Promise<ObjectList<T>> => {
      const { labelSelector, fieldSelector, limit, continue: token } = request;
      const query = { labelSelector, fieldSelector, limit, continue: token };
      const accept = request.metadataOnly === true ? { accept: ACCEPT_METADATA_LIST } : {};
      const path = withQuery(collectionPath(resource, namespace), query);
      const answer = (await rest.send({
        method: 'GET',
        path,
        ...accept,
        ...limits(request),
      })) as ListAnswer<T>;
      const { resourceVersion, continue: next } = answer.metadata;
      const more = next === undefined || next === '' ? {} : { continue: next };
      return { items: answer.items ?? [], resourceVersion, ...more };
    },
    watch: async (resource, namespace, request) => {
      const { labelSelector, fieldSelector, resourceVersion, timeoutSeconds, signal } = request;
      const query = { labelSelector, fieldSelector, resourceVersion, timeoutSeconds };
      const accept = request.metadataOnly === true ? { accept: ACCEPT_METADATA } : {};
      const path = withQuery(collectionPath(resource, namespace), {
        watch: true,
        allowWatchBookmarks: true,
        ...query,
      });
      const asked = { method: 'GET', path } as const;
      const response = await rest.open({ ...asked, ...accept, signal });
      return readWatchEvents(response, request.idleTimeoutMs, asked);
    },
  };
}

async function unlessNotFound(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
