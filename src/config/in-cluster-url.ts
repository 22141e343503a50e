import { isIPv6 } from 'node:net';

/**
 * The API server's address as Kubernetes tells each container by variables (KUBERNETES_SERVICE_HOST and _PORT): an IP address, so that it is
 * reached also while cluster DNS is down. Undefined outside of a pod.
 */
export function inClusterUrl(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || host === '' || port === undefined || port === '') return undefined;
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
