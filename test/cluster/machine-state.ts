import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findProcessesOf } from './marked-processes.ts';
import { runCommand } from './run-command.ts';

/** What a cluster could leave behind on a machine, each as a set of names that can be compared. */
export type MachineState = Readonly<Record<string, ReadonlySet<string>>>;

const list = (path: string): Promise<readonly string[]> => readdir(path).catch(() => []);

/** Every network and PID namespace that a process lives in. Nobody can have a mount namespace of ours without them. */
const findNamespaceNames = async (): Promise<readonly string[]> => {
  const pids = (await list('/proc')).filter((name) => /^\d+$/.test(name));
  const links = pids.flatMap((pid) => ['net', 'pid'].map((kind) => `/proc/${pid}/ns/${kind}`));
  return Promise.all(links.map((link) => readlink(link).catch(() => '')));
};

const findMounts = async (): Promise<readonly string[]> => {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mounts.split('\n').map((line) => line.split(' ')[4] ?? '');
};

const findInterfaces = async (): Promise<readonly string[]> => {
  if (process.platform !== 'linux') return [];
  const { stdout } = await runCommand('ip', ['-o', 'link']);
  return stdout.split('\n').map((line) => line.split(': ')[1] ?? '');
};

const findTopCgroups = async (): Promise<readonly string[]> => {
  const root = '/sys/fs/cgroup';
  const hierarchies = await list(root);
  const inside = await Promise.all(
    hierarchies.map(async (name) => (await list(join(root, name))).map((group) => `${name}/${group}`)),
  );
  return [...hierarchies, ...inside.flat()];
};

/** Directories outside the state directory where a node's programs like to leave things. */
const findFiles = async (dir: string): Promise<readonly string[]> => {
  const places = ['/var/lib/cni', '/var/lib/kubelet', '/var/log/containers', '/var/log/pods'];
  const shared = [...places, '/run/containerd', '/run/containerd/s', '/run/netns', '/var/lib/containerd'];
  const found = await Promise.all(
    shared.map(async (place) => (await list(place)).map((name) => join(place, name))),
  );
  const kept = ['logs', 'logs.before'];
  return [...found.flat(), ...(await list(dir)).filter((name) => !kept.includes(name))];
};

export const readMachineState = async (dir: string): Promise<MachineState> => ({
  processes: new Set((await findProcessesOf(dir)).map(({ pid, args }) => `${pid} ${args[0] ?? ''}`)),
  mounts: new Set(await findMounts()),
  interfaces: new Set(await findInterfaces()),
  namespaces: new Set(await findNamespaceNames()),
  cgroups: new Set(await findTopCgroups()),
  files: new Set(await findFiles(dir)),
});

/** What is there now and wasn't before, such as `interfaces: kh-1a2b3c4d`. */
export const findLeaks = (before: MachineState, after: MachineState): readonly string[] =>
  Object.entries(after).flatMap(([kind, names]) =>
    [...names]
      .filter((name) => name !== '' && before[kind]?.has(name) !== true)
      .map((name) => `${kind}: ${name}`),
  );
