import type { ObjectRef, Resource } from './kube-client.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The URL path of a collection: `/api/v1/namespaces/shop/pods`, `/apis/apps/v1/deployments`. */
export function collectionPath({ apiVersion, plural }: Resource, namespace?: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === undefined
    ? `${root}/${plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

/** The URL path of one object or its subresource. A name that would lead to another path is refused. */
export function objectPath({ resource, namespace, name, subresource }: ObjectRef): string {
  if (['', '.', '..'].includes(name)) throw new TypeError(`${resource.plural}: "${name}" is no name`);
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** A path with its query; parameters that are undefined are left out. */
export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}
