import { readFileSync } from 'node:fs';

/** User and system time of a process so far; NaN where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100; // clock ticks, 100 a second on every Linux of today
  } catch {
    return Number.NaN;
  }
}
