import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Ours, or what @peculiar/x509 offers as it is. */
export type IssuingWay = 'krake-hooks' | 'library';

export interface IssuingOptions {
  readonly way: IssuingWay;
  readonly seconds: number;
  /** Held to one core (Linux), all its threads. */
  readonly pinned: boolean;
  /** No more than that; default: as many as it can. */
  readonly perSecond?: number;
}

export interface Issued {
  readonly perSecond: number;
  /** Processor time of the process for each, all threads. */
  readonly cpuUs: number;
}

const TASKSET = '/usr/bin/taskset';

/** Issues in a process of its own, as the controller is one. */
export async function issueInProcess(options: IssuingOptions): Promise<Issued> {
  const script = [join(import.meta.dirname, 'issue-certificates.ts'), JSON.stringify(options)];
  const isPinned = options.pinned && existsSync(TASKSET);
  if (options.pinned && !isPinned)
    console.warn('SKIPPED: no taskset here, so the process is not held to one core');
  const [command, args] = isPinned
    ? [TASKSET, ['-c', '0', process.execPath, ...script]]
    : [process.execPath, script];
  const { stdout } = await promisify(execFile)(command, args);
  return JSON.parse(stdout) as Issued;
}
