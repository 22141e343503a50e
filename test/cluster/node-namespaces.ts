import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launchProcess } from './launch-process.ts';
import { findProcessesOf } from './marked-processes.ts';
import { runCommand } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/** The pid, outside, of the process that is number one inside. */
const findInit = async (dir: string): Promise<number | undefined> => {
  for (const { pid } of await findProcessesOf(dir)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^NSpid:\t.*\t1$/m.test(status) && /^Name:\tnode-init$/m.test(status)) return pid;
  }
  return undefined;
};

/** Runs a program in the node's namespaces. nsenter, not `ip netns exec`: that remounts /sys without the cgroups. */
const enterArgs = (pid: number): readonly string[] => [
  'nsenter',
  `--target=${pid}`,
  ...['--net', '--mount', '--pid', '--'],
];

export interface NodeNamespaces {
  readonly initPid: number;
  /** The command that runs a program inside. */
  readonly prefix: readonly string[];
  /** Runs a command inside, to its end. */
  run(command: string, args: readonly string[], timeoutMs?: number): Promise<string>;
}

const describeNamespaces = (initPid: number): NodeNamespaces => {
  const prefix = enterArgs(initPid);
  const [program = '', ...rest] = prefix;
  const run: NodeNamespaces['run'] = async (command, args, timeoutMs = 120_000) =>
    (await runCommand(program, [...rest, command, ...args], { timeoutMs })).stdout;
  return { initPid, prefix, run };
};

/**
 * Directories whose paths are fixed in the programs of a node. Inside they are ours: the host's containers, if it has any, are
 * not seen, and nothing of ours is left in them. The mount points stay, as empty directories of the host.
 */
const mountScript = (dir: string): string => `
  mount --make-rshared /
  mkdir -p /var/lib/kubelet /var/lib/cni /var/log/containers
  mount -t tmpfs tmpfs /run
  mkdir -p /run/lock
  mount -t tmpfs tmpfs /var/lib/cni
  mount -t tmpfs tmpfs /var/log/containers
  mount --bind '${join(dir, 'kubelet')}' /var/lib/kubelet
`;

/**
 * Network, mount and PID namespaces for everything of the cluster, containers included, held by one process. When that is
 * killed the kernel ends everything in them: that is how `down` leaves nothing behind, whatever state it finds.
 */
export const startNamespaces = async (dir: string, programsDir: string): Promise<NodeNamespaces> => {
  await mkdir(join(dir, 'kubelet'), { recursive: true });
  const prefix = ['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc'];
  await launchProcess(join(programsDir, 'node-init'), [], { dir, lifetime: 'detached', prefix });
  const initPid = await waitFor('node-init', () => findInit(dir), { timeoutMs: 10_000, intervalMs: 50 });
  const namespaces = describeNamespaces(initPid);
  await namespaces.run('sh', ['-ec', mountScript(dir)]);
  return namespaces;
};

/** The namespaces of a cluster that is up, if it is and has a node. */
export const findNamespaces = async (dir: string): Promise<NodeNamespaces | undefined> => {
  const initPid = await findInit(dir);
  return initPid === undefined ? undefined : describeNamespaces(initPid);
};
