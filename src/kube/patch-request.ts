import type { ObjectRef, Patch, RequestOptions } from './kube-client.ts';
import { objectPath, withQuery, type Query } from './resource-path.ts';
import type { RestRequest } from './rest-client.ts';

const PATCH_CONTENT_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml', // JSON is YAML
} as const;

export function buildPatch(ref: ObjectRef, patch: Patch, options: RequestOptions): RestRequest {
  const apply = patch.type === 'apply' ? { fieldManager: patch.fieldManager, force: true } : {};
  return {
    method: 'PATCH',
    path: withQuery(objectPath(ref), { ...writeQuery(options), ...apply }),
    contentType: PATCH_CONTENT_TYPES[patch.type],
    body: patch.body,
    ...limits(options),
  };
}

/** The part of the options that is about the exchange itself. */
export function limits({ signal, timeoutMs, urgent, onWarning }: RequestOptions) {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(urgent === undefined ? {} : { urgent }),
    ...(onWarning === undefined ? {} : { onWarning }),
  };
}

export function writeQuery({ dryRun, fieldManager }: RequestOptions): Query {
  return { dryRun: dryRun === true ? 'All' : undefined, fieldManager };
}
