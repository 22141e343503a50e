import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { loadConfig } from '../../src/config/index.ts';
import { connectToCluster } from '../cluster/running-cluster.ts';
import { ensureTestCa } from './test-ca.ts';

const root = join(import.meta.dirname, '..', '..');
const PARTS = ['admission', 'gate', 'callbacks', 'controller', 'jobs'] as const;

const LOCAL_OVERLAY = 'manifests/overlays/local';
const KRAKE_PROFILE = 'manifests/overlays/krake/config.yaml';
export const TEST_OVERLAY = 'test/e2e/manifests';
/** All that the installation is made of. */
const SOURCES = [
  'src',
  'manifests',
  TEST_OVERLAY,
  'package.json',
  'package-lock.json',
  'Dockerfile',
  'tsconfig.build.json',
];
/** Annotation on the service's namespace: hash of the sources whose installation was completed. */
const INSTALLED_FROM = 'krake-hooks.test/installed-from';

/** Runs one command of the harness with its progress in view. @throws Error when it fails */
export function harness(command: 'up' | 'down' | 'build-image'): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'test/cluster/cli.ts'), command], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the local cluster: "${command}" failed (see above)`));
    });
  });
}

/** A cluster that is up; starts the local one where none runs. */
export async function startCluster(): Promise<Cluster> {
  await harness('up');
  return connectToCluster();
}

/** Builds the image of this checkout, applies the local overlay and waits until every part is ready. May be repeated. */
export async function install(
  cluster: Cluster,
  onReady: (part: string) => void = () => undefined,
): Promise<void> {
  await harness('build-image');
  await apply(cluster, LOCAL_OVERLAY);
  await restartAll(cluster, onReady);
}

/** The same with what the tests need besides, unless this very checkout is what runs: several test files share one installation. */
export async function ensureInstalled(cluster: Cluster): Promise<void> {
  const sources = await hashSources();
  const { stdout } = await cluster.kubectl([
    'get',
    'namespace',
    'krake-system',
    '--ignore-not-found',
    '-o',
    'json',
  ]);
  const namespace = JSON.parse(stdout === '' ? '{}' : stdout) as {
    metadata?: { annotations?: Readonly<Record<string, string>> };
  };
  if (namespace.metadata?.annotations?.[INSTALLED_FROM] === sources) {
    for (const part of PARTS) await waitForRollout(cluster, part);
    return;
  }
  await harness('build-image');
  await apply(cluster, TEST_OVERLAY);
  await mountAsKrake(cluster);
  await ensureTestCa(cluster);
  await restartAll(cluster);
  const annotation = `${INSTALLED_FROM}=${sources}`;
  await cluster.kubectl(['annotate', '--overwrite', 'namespace', 'krake-system', annotation]);
}

async function apply(cluster: Cluster, overlay: string): Promise<void> {
  await cluster.kubectl(['apply', '-k', join(root, overlay)]);
  await cluster.kubectl(['annotate', 'namespace', 'krake-system', `${INSTALLED_FROM}-`]);
}

/**
 * The directories of the profile krake, from its own configuration: what scripts of Krake are tried with is what its users have. Everything else in it
 * is as by default (test/unit/config/profile-krake.test.ts).
 */
async function mountAsKrake(cluster: Cluster): Promise<void> {
  const { mountDirectories } = loadConfig({ file: join(root, KRAKE_PROFILE), env: {} }).injection;
  const variable = `KRAKE_HOOKS_INJECTION_MOUNT_DIRECTORIES=${mountDirectories.join(',')}`;
  await cluster.kubectl(['-n', 'krake-system', 'set', 'env', 'deployment/krake-hooks-admission', variable]);
}

/** The image keeps its name from build to build, so pods of an earlier one have to be told. */
async function restartAll(
  cluster: Cluster,
  onReady: (part: string) => void = () => undefined,
): Promise<void> {
  await cluster.kubectl(['-n', 'krake-system', 'rollout', 'restart', 'deployment']);
  for (const part of PARTS) {
    await waitForRollout(cluster, part);
    onReady(part);
  }
}

async function hashSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of await filesOf(join(root, source)))
      hash.update(relative(root, file)).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 32);
}

async function filesOf(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [path];
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export async function waitForRollout(cluster: Cluster, part: (typeof PARTS)[number]): Promise<void> {
  const args = [
    '-n',
    'krake-system',
    'rollout',
    'status',
    `deployment/krake-hooks-${part}`,
    '--timeout=150s',
  ];
  await cluster.kubectl(args, { timeoutMs: 160_000 });
}
