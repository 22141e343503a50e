import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killProcessesOf } from './marked-processes.ts';
import { currentOwner, isAlive } from './process-start-time.ts';
import type { Owner } from './process-start-time.ts';

const prefix = 'krake-hooks-control-plane-';
const ownerFile = 'owner.json';
const keepFailedForMs = 24 * 60 * 60_000;

const readOwner = async (dir: string): Promise<Owner | undefined> => {
  try {
    return JSON.parse(await readFile(join(dir, ownerFile), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
};

const removeWhenStale = async (dir: string): Promise<void> => {
  const owner = await readOwner(dir);
  const { mtimeMs } = await stat(dir);
  const ageMs = Date.now() - mtimeMs;
  // Without an owner: its maker was killed before it wrote one, or is just about to.
  if (owner === undefined ? ageMs < 60_000 : await isAlive(owner)) return;
  await killProcessesOf(dir);
  const hasFailed = (await readdir(dir)).includes('failed');
  if (!hasFailed || ageMs > keepFailedForMs) await rm(dir, { recursive: true, force: true });
};

/** Stops what killed test runs left behind, and makes a state directory for a new one. */
export const createTemporaryState = async (): Promise<string> => {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix));
  // Another user's are not ours to read or remove; another run may just be removing the same.
  await Promise.all(names.map((name) => removeWhenStale(join(tmpdir(), name)).catch(() => undefined)));
  const dir = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(dir, ownerFile), JSON.stringify(await currentOwner()));
  return dir;
};

/** Keeps a state directory, because an error message has pointed to the logs in it. A day later the next run removes it. */
export const keepForInspection = (dir: string): Promise<void> => writeFile(join(dir, 'failed'), '');
