import { access } from 'node:fs/promises';
import { markVariable } from './marked-processes.ts';
import { withProgress } from './progress.ts';
import { findProgram, runCommand } from './run-command.ts';

/** What a node and its images need that Debian and Ubuntu package: a file or program to look for, and its package. */
const needed = [
  { look: 'containerd', package: 'containerd' },
  { look: 'runc', package: 'runc' },
  { look: '/usr/lib/cni/bridge', package: 'containernetworking-plugins' },
  { look: 'iptables', package: 'iptables' },
  { look: 'conntrack', package: 'conntrack' },
  { look: 'ip', package: 'iproute2' },
  { look: 'nsenter', package: 'util-linux' },
  { look: 'mount', package: 'mount' },
  { look: 'busybox', package: 'busybox-static' },
  { look: 'buildah', package: 'buildah' },
  { look: 'curl', package: 'curl' },
  { look: 'bash', package: 'bash' },
  { look: '/etc/ssl/certs/ca-certificates.crt', package: 'ca-certificates' },
] as const;

const isThere = async (look: string): Promise<boolean> =>
  look.startsWith('/')
    ? access(look).then(
        () => true,
        () => false,
      )
    : (await findProgram(look)) !== undefined;

const findMissing = async (): Promise<readonly string[]> => {
  const missing: string[] = [];
  for (const { look, package: name } of needed) if (!(await isThere(look))) missing.push(name);
  return missing;
};

/** No mark: a package manager isn't killed half-way, the next start waits for it instead. */
const env = { DEBIAN_FRONTEND: 'noninteractive', [markVariable]: '' };

const runAptGet = (args: readonly string[], allowFailure = false): Promise<{ readonly code: number }> =>
  runCommand('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env,
    timeoutMs: 15 * 60_000,
    allowFailure,
  });

/** Installs what is missing where that is possible, else says what to install. */
export const ensurePackages = async (): Promise<void> => {
  const missing = await findMissing();
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if ((await findProgram('apt-get')) === undefined) {
    throw new Error(`a node needs what these Debian packages hold; install their like here: ${names}`);
  }
  await withProgress(`installing the Debian packages ${names}`, async () => {
    const install = ['install', '-y', '--no-install-recommends', ...missing];
    // An installation that was killed half-way leaves packages that apt-get refuses to go on without.
    await runCommand('dpkg', ['--configure', '-a'], { env, allowFailure: true });
    if ((await runAptGet(install, true)).code === 0) return;
    await runAptGet(['update']);
    await runAptGet(install);
  });
};
