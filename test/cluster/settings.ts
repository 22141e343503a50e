import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version that go.mod asks for; the binaries have to be told, since `go build` doesn't stamp a dependency's version. */
export const kubernetesVersion = 'v1.36.3';

export const harnessDir = dirname(fileURLToPath(import.meta.url));
export const checkoutDir = resolve(harnessDir, '../..');

/** Everything that `up` makes on disk, except what is worth sharing between checkouts, see cacheDir. */
export const clusterDir = (): string => resolve(process.env.CLUSTER_DIR ?? join(checkoutDir, '.cluster'));

/** Built binaries and images, outside the checkout: a fresh clone of the same commit finds them. */
export const cacheDir = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'krake-hooks');

/** Eight letters that tell one state directory from another, for names that the whole machine shares. */
export const clusterId = (dir: string): string => createHash('sha256').update(dir).digest('hex').slice(0, 8);

/** An empty variable counts as not given: `make cluster-up CONTEXT=` means the local cluster. */
export const fromEnvironment = (name: 'CONTEXT' | 'KUBEBUILDER_ASSETS'): string | undefined => {
  const value = process.env[name];
  return value === undefined || value === '' ? undefined : value;
};
