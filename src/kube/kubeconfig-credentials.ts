import type { Agent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Credentials, CredentialSource, TlsMaterial } from './credentials.ts';

/**
 * A kubeconfig with all that it may hold: client certificates, tokens, exec plugins, proxies. client-node reads it.
 *
 * @param path undefined: the usual one (KUBECONFIG, ~/.kube/config)
 */
export function createKubeconfigSource(
  path: string | undefined,
  context: string | undefined,
): CredentialSource {
  let loaded: KubeConfig | undefined;
  return {
    read: async (fresh) => {
      if (loaded === undefined || fresh) loaded = await load(path, context);
      return await credentialsOf(loaded);
    },
  };
}

async function load(path: string | undefined, context: string | undefined): Promise<KubeConfig> {
  // Only here: the package costs 90 MB and 0.4 s, which a pod with a service account does not need to pay.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (path === undefined) config.loadFromDefault();
  else config.loadFromFile(path);
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const context = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw new Error(`kubeconfig: no context "${context}" with a cluster; known are: ${known.join(', ')}`);
  }
  // What client-node falls back to when it finds nothing at all.
  if (config.getCurrentUser() === null || cluster.server === 'http://localhost:8080') {
    throw new Error(
      'no credentials for the Kubernetes API: neither a kubeconfig nor a service account was found; set "kubeconfig"',
    );
  }
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value);
  }
  if (typeof options.auth === 'string') {
    headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  return {
    server: new URL(cluster.server),
    headers,
    tls: tlsOf(options),
    ...(cluster.proxyUrl === undefined ? {} : { proxyAgent: options.agent as Agent }),
  };
}

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsMaterial {
  return {
    ...(isPem(ca) ? { ca } : {}),
    ...(isPem(cert) ? { cert } : {}),
    ...(isPem(key) ? { key } : {}),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

/** client-node gives one PEM text each; node:https would take lists too. */
function isPem(value: unknown): value is string | Buffer {
  return typeof value === 'string' || Buffer.isBuffer(value);
}
