import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Who may come in, with which groups. What each may do is RBAC's, with the roles that every cluster has for them. */
const users = {
  admin: { user: 'admin', group: 'system:masters' },
  'kube-controller-manager': { user: 'system:kube-controller-manager', group: '' },
  'kube-scheduler': { user: 'system:kube-scheduler', group: '' },
  'kube-proxy': { user: 'system:kube-proxy', group: '' },
  kubelet: { user: 'system:node:krake-hooks', group: 'system:nodes' },
  coredns: { user: 'system:coredns', group: '' },
} as const;

export type User = keyof typeof users;

export interface Credentials {
  /** Signs service account tokens. */
  readonly serviceAccountKeyFile: string;
  readonly tokenFile: string;
  readonly tokens: Readonly<Record<User, string>>;
}

/** The keys and tokens of a control plane; those that its directory already has when it is started again. */
export const ensureCredentials = async (dir: string): Promise<Credentials> => {
  const serviceAccountKeyFile = join(dir, 'service-account.key');
  const tokenFile = join(dir, 'tokens.csv');
  if (
    await access(tokenFile).then(
      () => false,
      () => true,
    )
  ) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(serviceAccountKeyFile, privateKey.export({ type: 'sec1', format: 'pem' }), {
      mode: 0o600,
    });
    const lines = Object.values(users).map(
      ({ user, group }) => `${randomBytes(24).toString('hex')},${user},${user},"${group}"\n`,
    );
    await writeFile(tokenFile, lines.join(''), { mode: 0o600 });
  }
  const tokenOf = new Map<string, string>();
  for (const line of (await readFile(tokenFile, 'utf8')).split('\n')) {
    const [token = '', user = ''] = line.split(',');
    tokenOf.set(user, token);
  }
  const tokens = Object.fromEntries(
    Object.entries(users).map(([name, { user }]) => [name, tokenOf.get(user) ?? '']),
  ) as Record<User, string>;
  return { serviceAccountKeyFile, tokenFile, tokens };
};

/** Writes a kubeconfig. JSON is YAML, so every client reads it. */
export const writeKubeconfig = async (
  path: string,
  { url, caPem, token }: { readonly url: string; readonly caPem: string; readonly token: string },
): Promise<void> => {
  const name = 'krake-hooks';
  const cluster = { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await writeFile(path, JSON.stringify(kubeconfig, null, 2), { mode: 0o600 });
};
