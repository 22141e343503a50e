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
  readonly dryRun?: boolean;
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
