import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { markVariable } from './marked-processes.ts';
import { waitFor } from './wait-for.ts';

export interface LaunchOptions {
  /** The state directory: the mark of the process, and where its log goes. */
  readonly dir: string;
  /** `parent`: the process dies with this one, however that dies. `detached`: it goes on until `down`. */
  readonly lifetime: 'parent' | 'detached';
  /** A command that runs the program, such as nsenter with its arguments. */
  readonly prefix?: readonly string[];
}

export interface LaunchedProcess {
  readonly name: string;
  readonly logFile: string;
  isRunning(): boolean;
  /** Asks the process to end and kills it when it hasn't after the grace time. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL at once, no goodbye. */
  kill(): Promise<void>;
}

// One listener for all: the children of a test process come and go by the dozen.
const dieAtExit = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of dieAtExit) child.kill('SIGKILL');
});

/** Starts a long-running program whose output goes to `<dir>/logs/<name>.log`, after what earlier starts wrote there. */
export const launchProcess = async (
  program: string,
  args: readonly string[],
  { dir, lifetime, prefix = [] }: LaunchOptions,
): Promise<LaunchedProcess> => {
  const name = basename(program);
  const logFile = join(dir, 'logs', `${name}.log`);
  const log = await open(logFile, 'a');
  const [command = program, ...rest] = [...prefix, program, ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', log.fd, log.fd],
    detached: lifetime === 'detached',
    env: {
      ...process.env,
      [markVariable]: dir,
      // See kube/die_with_parent_linux.go.
      ...(lifetime === 'parent' ? { KRAKE_HOOKS_CLUSTER_PARENT: String(process.pid) } : {}),
    },
  });
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`cannot start ${command}`, { cause: error })));
  });
  await log.close();
  // The harness never waits for a process just because it runs: a finished test run ends, and takes it along.
  child.unref();
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const gone = (timeoutMs: number): Promise<true> =>
    waitFor(`the end of ${name}`, () => (isRunning() ? undefined : true), { timeoutMs, intervalMs: 20 });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone(10_000);
  };
  const stop = async (graceMs = 5_000): Promise<void> => {
    child.kill('SIGTERM');
    await gone(graceMs).catch(kill);
  };
  if (lifetime === 'parent') {
    dieAtExit.add(child);
    child.once('exit', () => dieAtExit.delete(child));
  }
  return { name, logFile, isRunning, stop, kill };
};

/** The end of a log, for an error message. */
export const readLogTail = async (logFile: string, lines = 15): Promise<string> => {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
};
