import { readFile, readdir } from 'node:fs/promises';
import { runCommand } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/**
 * Every process that the harness starts carries its state directory in this environment variable, and its children
 * inherit it. So whatever was killed when, the processes of a directory can be found: there is no moment between "started" and
 * "written down", no file that goes stale, and a pid that was used again by somebody else isn't marked.
 */
export const markVariable = 'KRAKE_HOOKS_CLUSTER';

/** The programs of a cluster that run as long as it does; others are called for a moment, like iptables. */
export const LASTING_PROGRAMS: readonly string[] = [
  'node-init',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'coredns',
  'kubelet',
  'kube-proxy',
];

export interface MarkedProcess {
  readonly pid: number;
  /** The state directory that the process belongs to. */
  readonly dir: string;
  readonly args: readonly string[];
}

const readMarkedOnLinux = async (pid: number): Promise<MarkedProcess | undefined> => {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    const entry = environment.split('\0').find((text) => text.startsWith(`${markVariable}=`));
    if (entry === undefined || entry === `${markVariable}=`) return undefined;
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
    return { pid, dir: entry.slice(markVariable.length + 1), args };
  } catch {
    return undefined; // Ended meanwhile, or another user's.
  }
};

const findMarkedByPs = async (): Promise<readonly MarkedProcess[]> => {
  const { stdout } = await runCommand('ps', ['axeww', '-o', 'pid=,command=']);
  return stdout.split('\n').flatMap((line) => {
    const match = new RegExp(`^\\s*(\\d+) (.*?) .*\\b${markVariable}=(\\S+)`).exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), args: [match[2] ?? ''], dir: match[3] ?? '' }];
  });
};

/** All processes of all state directories on this machine that this user may see. */
export const findMarkedProcesses = async (): Promise<readonly MarkedProcess[]> => {
  if (process.platform !== 'linux') return findMarkedByPs();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => pid !== process.pid).map(readMarkedOnLinux));
  return found.filter((marked) => marked !== undefined);
};

export const findProcessesOf = async (dir: string): Promise<readonly MarkedProcess[]> =>
  (await findMarkedProcesses()).filter((marked) => marked.dir === dir);

/** Kills every process of a state directory, until there is none: what is found may just be starting another. */
export const killProcessesOf = async (dir: string): Promise<number> => {
  const seen = new Set<number>();
  await waitFor(`the end of the processes of ${dir}`, async () => {
    const found = await findProcessesOf(dir);
    for (const { pid } of found) {
      seen.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended meanwhile.
      }
    }
    return found.length === 0 ? true : undefined;
  });
  return seen.size;
};
