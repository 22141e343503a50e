import type { KubeApiError } from './kube-api-error.ts';

/** A REST resource of the Kubernetes API, for example `{ apiVersion: 'apps/v1', plural: 'deployments' }`. */
export interface Resource {
  readonly apiVersion: string;
  readonly plural: string;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** The least that every object has; callers bring their own narrower type and validate what they rely on. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

export interface ObjectRef {
  readonly resource: Resource;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  readonly name: string;
  readonly subresource?: 'status' | 'scale';
}

export type Patch =
  | { readonly type: 'merge'; readonly body: unknown }
  | { readonly type: 'json'; readonly body: readonly unknown[] }
  /** Server-side apply, with force: the field manager takes the fields that it names. */
  | { readonly type: 'apply'; readonly body: unknown; readonly fieldManager: string };

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Time limit for the whole answer; default: the client's. */
  readonly timeoutMs?: number;
  readonly dryRun?: boolean;
  /** Owner of the written fields; default: the part of the user agent before "/". */
  readonly fieldManager?: string;
  /** Not held back by the client's rate limit: for the few requests that must not wait, such as the renewal of a Lease. */
  readonly urgent?: boolean;
  /** Called with each warning that the API server sends with its answer, refusals included. */
  readonly onWarning?: (text: string) => void;
}

export interface DeleteOptions extends RequestOptions {
  /** Preconditions: without a match the API server answers 409 and nothing is deleted. */
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/**
 * The Kubernetes API, one method per verb. Every method rejects with a KubeApiError for an answer that is no 2xx (except where it
 * says otherwise) and with a KubeUnreachableError when there was none. Each request has a time limit.
 */
export interface KubeClient {
  /** The object; undefined for 404. `metadataOnly` asks for PartialObjectMetadata. */
  get<T extends KubeObject>(
    ref: ObjectRef,
    options?: RequestOptions & { readonly metadataOnly?: boolean },
  ): Promise<T | undefined>;
  create<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    object: unknown,
    options?: RequestOptions,
  ): Promise<T>;
  replace<T extends KubeObject>(ref: ObjectRef, object: unknown, options?: RequestOptions): Promise<T>;
  patch<T extends KubeObject>(ref: ObjectRef, patch: Patch, options?: RequestOptions): Promise<T>;
  /** True when the deletion was accepted, false for 404. */
  delete(ref: ObjectRef, options: DeleteOptions): Promise<boolean>;
}

export interface ListOptions extends RequestOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly metadataOnly?: boolean;
  /** Objects on one page; default: the API server's choice, which is all of them. */
  readonly limit?: number;
  /** `continue` of the page before. Answered with 410 when that list is too old: start over. */
  readonly continue?: string;
}

export interface ObjectList<T extends KubeObject> {
  readonly items: readonly T[];
  /** A watch from here misses nothing that the list does not show. */
  readonly resourceVersion: string;
  /** There are more: ask for the next page with this. */
  readonly continue?: string;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  readonly resourceVersion: string;
  /** After this the API server ends the stream in good order. */
  readonly timeoutSeconds: number;
  /** A stream that brings nothing for this long is taken for dead and ends with a KubeUnreachableError. */
  readonly idleTimeoutMs: number;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly metadataOnly?: boolean;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing changed; only `metadata.resourceVersion` says something. */
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject }
  /** The watch has failed; the stream ends. 410: its resourceVersion is too old. */
  | { readonly type: 'ERROR'; readonly error: KubeApiError };

/** The reading side for caches: lists by page, and watches. Lists are consistent (never from a stale cache of the API server). */
export interface WatchClient {
  /** One page. Namespace undefined: all namespaces, or a cluster-scoped resource. */
  list<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    options?: ListOptions,
  ): Promise<ObjectList<T>>;
  /**
   * Resolves when the API server has accepted the watch. The stream, read once with `for await`, ends normally when the API server ends it,
   * and with an error when the connection breaks, is idle for too long, or the signal is aborted (KubeUnreachableError).
   */
  watch<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent<T>>>;
}

/** One of several patches that are made together. */
export interface JointPatch {
  readonly ref: ObjectRef;
  readonly patch: Patch;
}

/** What `createKubeClient` gives. */
export interface FullKubeClient extends KubeClient, WatchClient {
  /**
   * Patches several objects such that none is carried out before the API server has authorised all of them (and none at all if it refuses one):
   * for a client that takes its own rights away, which one patch after the other could not do, nor several at once for certain. One outcome
   * each, in order. Behind a proxy that answers `Expect: 100-continue` by itself, or never, they are merely sent at once.
   */
  patchTogether(
    patches: readonly JointPatch[],
    options?: RequestOptions,
  ): Promise<PromiseSettledResult<KubeObject>[]>;
  /** The parsed answer of a GET on an absolute path, for example `/version`. `accept`: a kind of JSON other than the usual one. */
  getRaw(path: string, options?: RequestOptions & { readonly accept?: string }): Promise<unknown>;
  /** Closes idle connections; requests under way end by themselves. */
  close(): void;
}
