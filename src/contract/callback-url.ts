import type { Hook } from './labels.ts';

/**
 * The URL that an application signals at (seed 001): `{endpoint}/kubernetes/namespaces/{namespace}/applications/{name}/{hook}`.
 * A path prefix of the endpoint is kept; the port is always written out, since some clients of old Krake expect it.
 *
 * @param endpoint absolute http or https URL without query or fragment (the configuration has checked it)
 */
export function callbackUrl(endpoint: string, namespace: string, application: string, hook: Hook): string {
  return `${callbackBase(endpoint)}${callbackPath(namespace, application, hook)}`;
}

/** The path part, as the callback listener routes it. */
export function callbackPath(namespace: string, application: string, hook: Hook): string {
  return `/kubernetes/namespaces/${namespace}/applications/${application}/${hook}`;
}

/** What stands before the path of every callback URL: for whoever builds many of one endpoint. */
export function callbackBase(endpoint: string): string {
  const url = new URL(endpoint);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return `${url.protocol}//${url.hostname}:${port}${url.pathname.replace(/\/+$/, '')}`;
}
