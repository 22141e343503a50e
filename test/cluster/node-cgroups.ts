import { access, mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterId } from './settings.ts';
import { waitFor } from './wait-for.ts';

const root = '/sys/fs/cgroup';

/** The cgroup that holds every container: `down` removes it, the leak check counts it. */
export const cgroupName = (dir: string): string => `krake-hooks-${clusterId(dir)}`;

/** A cgroup's directory goes with rmdir, from the leaves up; the files in it are not files. */
const removeTree = async (dir: string): Promise<void> => {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(dir, entry.name));
  }
  await rmdir(dir);
};

/** Where a cgroup exists: in version 2 in one place, in version 1 once for each controller. */
export const findCgroups = async (name: string): Promise<readonly string[]> => {
  const found: string[] = [];
  const entries = await readdir(root, { withFileTypes: true });
  for (const entry of entries.filter((candidate) => candidate.isDirectory())) {
    if (entry.name === name) found.push(join(root, name));
    const inside = await readdir(join(root, entry.name));
    if (inside.includes(name)) found.push(join(root, entry.name, name));
  }
  return found;
};

/** Makes a cgroup in every hierarchy. */
export const createCgroups = async (name: string): Promise<void> => {
  const isVersion2 = await access(join(root, 'cgroup.controllers')).then(
    () => true,
    () => false,
  );
  const hierarchies = isVersion2 ? ['.'] : await readdir(root);
  for (const hierarchy of hierarchies) await mkdir(join(root, hierarchy, name), { recursive: true });
};

/** Removes a cgroup whose processes have been killed; the kernel may still be counting them for a moment. */
export const removeCgroups = async (name: string): Promise<void> => {
  await waitFor(`the end of the cgroup ${name}`, async () => {
    for (const dir of await findCgroups(name)) await removeTree(dir);
    return true;
  });
};
