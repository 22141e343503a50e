import { readFile } from 'node:fs/promises';
import { runCommand } from './run-command.ts';

/**
 * When a process started, as text that only compares for equality, or undefined when there is none with this pid.
 * Pids are used again; a pid together with its start time is not.
 */
export const processStartTime = async (pid: number): Promise<string | undefined> => {
  if (process.platform === 'linux') {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The second field, the name, may contain anything; the 22nd field is the 20th after its closing parenthesis.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  const { stdout } = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)], { allowFailure: true });
  return stdout.trim() || undefined;
};

export interface Owner {
  readonly pid: number;
  readonly startTime: string;
}

export const currentOwner = async (): Promise<Owner> => ({
  pid: process.pid,
  startTime: (await processStartTime(process.pid)) ?? '',
});

export const isAlive = async ({ pid, startTime }: Owner): Promise<boolean> =>
  (await processStartTime(pid)) === startTime;
