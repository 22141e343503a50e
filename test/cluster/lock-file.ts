import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { currentOwner, isAlive } from './process-start-time.ts';
import type { Owner } from './process-start-time.ts';
import { waitFor } from './wait-for.ts';

const removeStaleLock = async (path: string): Promise<void> => {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text !== undefined && !(await isAlive(JSON.parse(text) as Owner))) await rm(path, { force: true });
};

/**
 * Lets one process at a time do something. The lock of a killed process counts as free. Two that find such a lock at the same
 * moment may both go on: use it to save work, not for correctness.
 */
export const withLock = async <T>(path: string, timeoutMs: number, run: () => Promise<T>): Promise<T> => {
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, JSON.stringify(await currentOwner()));
  try {
    await waitFor(
      `the lock ${path}`,
      async () => {
        await removeStaleLock(path);
        // A link appears with its whole content, so nobody ever reads a lock that is half written.
        await link(mine, path);
        return true;
      },
      { timeoutMs, intervalMs: 500 },
    );
  } finally {
    await rm(mine, { force: true });
  }
  try {
    return await run();
  } finally {
    await rm(path, { force: true });
  }
};
