import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock-file.ts';
import { withProgress } from './progress.ts';
import { findProgram, runCommand } from './run-command.ts';
import { cacheDir, harnessDir, kubernetesVersion } from './settings.ts';

const oldestGo = [1, 26] as const;

const modules = {
  kube: {
    programs: [
      ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'],
      ...['kubelet', 'kube-proxy', 'node-init'],
    ],
    step: 'building Kubernetes from its Go modules, once (about 4 minutes on 2 cores)',
  },
  dns: {
    programs: ['coredns'],
    step: 'building CoreDNS from its Go modules, once (about 2 minutes on 2 cores)',
  },
} as const;

const goVersion = async (): Promise<string> => {
  const instead =
    'Install it from https://go.dev/dl, or give CONTEXT=name or KUBEBUILDER_ASSETS=dir instead.';
  const wanted = `Go ${oldestGo.join('.')} or newer is needed to build the local Kubernetes`;
  if ((await findProgram('go')) === undefined) throw new Error(`${wanted}, and there is no go. ${instead}`);
  const { stdout } = await runCommand('go', ['env', 'GOVERSION'], { env: { GOTOOLCHAIN: 'local' } });
  const match = /go(\d+)\.(\d+)/.exec(stdout);
  const [major, minor] = [Number(match?.[1]), Number(match?.[2])];
  const isNewEnough = major > oldestGo[0] || (major === oldestGo[0] && minor >= oldestGo[1]);
  if (!isNewEnough) throw new Error(`${wanted}, and this is ${stdout.trim()}. ${instead}`);
  return stdout.trim();
};

const cacheKey = async (sourceDir: string): Promise<string> => {
  const hash = createHash('sha256').update(
    `${await goVersion()} ${process.platform} ${process.arch} ${kubernetesVersion}`,
  );
  const sources = (await readdir(sourceDir)).filter((name) => /^go\.|\.go$/.test(name)).sort();
  for (const name of sources) hash.update(`\0${name}\0`).update(await readFile(join(sourceDir, name)));
  return hash.digest('hex').slice(0, 16);
};

const build = async (module: keyof typeof modules, sourceDir: string, target: string): Promise<void> => {
  // Built beside its place and moved there whole: what is in its place is complete, whenever a build was interrupted.
  const unfinished = await mkdtemp(`${target}.unfinished-`);
  const [major, minor] = kubernetesVersion.slice(1).split('.');
  const version = 'k8s.io/component-base/version';
  const stamps = [`gitVersion=${kubernetesVersion}`, `gitMajor=${major}`, `gitMinor=${minor}`];
  const ldflags = ['-s', '-w', ...stamps.map((stamp) => `-X ${version}.${stamp}`)].join(' ');
  try {
    const args = ['build', '-trimpath', '-ldflags', ldflags, '-o', join(unfinished, module), '.'];
    const env = {
      CGO_ENABLED: '0',
      GOFLAGS: '-buildvcs=false -mod=readonly',
      GOWORK: 'off',
      GOTOOLCHAIN: 'local',
    };
    await withProgress(modules[module].step, () =>
      runCommand('go', args, { cwd: sourceDir, env, timeoutMs: 60 * 60_000 }),
    );
    for (const program of modules[module].programs) await symlink(module, join(unfinished, program));
    await rm(target, { recursive: true, force: true });
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
};

const removeUnfinished = async (dir: string, module: string): Promise<void> => {
  for (const name of await readdir(dir)) {
    if (name.startsWith(`${module}-`) && name.includes('.unfinished-'))
      await rm(join(dir, name), { recursive: true, force: true });
  }
};

/** The directory with the programs of one of the two Go modules here, built when the cache doesn't have them. */
export const ensureBinaries = async (module: keyof typeof modules): Promise<string> => {
  const sourceDir = join(harnessDir, module);
  const dir = join(cacheDir(), 'bin');
  const target = join(dir, `${module}-${await cacheKey(sourceDir)}`);
  const isBuilt = (): Promise<boolean> =>
    stat(target).then(
      () => true,
      () => false,
    );
  if (await isBuilt()) return target;
  await mkdir(dir, { recursive: true });
  // Several test processes may come here at once, and building takes all cores anyway.
  await withLock(join(dir, `${module}.lock`), 60 * 60_000, async () => {
    if (await isBuilt()) return;
    await removeUnfinished(dir, module);
    await build(module, sourceDir, target);
  });
  return target;
};
