import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildProjectImage } from './build-image.ts';
import { importImage } from './container-runtime.ts';
import { takeDown } from './down.ts';
import { withLock } from './lock-file.ts';
import { findProcessesOf, markVariable } from './marked-processes.ts';
import { findNamespaces } from './node-namespaces.ts';
import { say } from './progress.ts';
import { findFault } from './running-cluster.ts';
import { clusterDir, fromEnvironment } from './settings.ts';
import { bringUp } from './up.ts';

const usage = `usage: npm run cluster -- COMMAND
  up               start the local cluster, or say that it is up
  down             stop it; its logs stay
  reset            down, then up
  status           what runs; exit code 1 when it isn't healthy
  load-image FILE  bring the images of an archive to the node
  build-image      build the project's Dockerfile and bring it to the node as localhost/krake-hooks:dev
See test/cluster/README.md.`;

const loadImage = async (dir: string, archive: string): Promise<void> => {
  const namespaces = await findNamespaces(dir);
  if (namespaces === undefined)
    throw new Error(`no node of ours is running in ${dir}: start it with make cluster-up`);
  await importImage(namespaces, resolve(archive));
  say(`loaded ${archive}`);
};

const printStatus = async (dir: string): Promise<number> => {
  const fault = await findFault(dir);
  console.log(fault === undefined ? `healthy, in ${dir}` : `not healthy, in ${dir}: ${fault}`);
  for (const { pid, args } of await findProcessesOf(dir)) {
    if (args[0] !== 'nsenter') console.log(`${String(pid).padStart(8)} ${args[0] ?? ''}`);
  }
  return fault === undefined ? 0 : 1;
};

/** One at a time: a second `up` would take the half-started cluster of the first for a broken one. */
const alone = async <T>(dir: string, change: () => Promise<T>): Promise<T> => {
  await mkdir(dir, { recursive: true });
  return withLock(join(dir, 'lock'), 60 * 60_000, change);
};

const run = async ([command, argument]: readonly string[]): Promise<number> => {
  const dir = clusterDir();
  const isForeign = fromEnvironment('CONTEXT') !== undefined;
  switch (command) {
    case 'up':
      await alone(dir, () => bringUp(dir));
      return 0;
    case 'reset':
      await alone(dir, () => takeDown(dir));
      await alone(dir, () => bringUp(dir));
      return 0;
    case 'down': {
      if (isForeign)
        say('CONTEXT is given: that cluster is not ours to stop; taking down the local one, if there is one');
      const ended = await alone(dir, () => takeDown(dir));
      say(ended === 0 ? 'the cluster was down already' : `the cluster is down (${ended} processes ended)`);
      return 0;
    }
    case 'status':
      return printStatus(dir);
    case 'build-image':
      await loadImage(dir, await buildProjectImage(dir));
      return 0;
    case 'load-image':
      if (argument === undefined) break;
      await loadImage(dir, argument);
      return 0;
    default:
  }
  console.error(usage);
  return 2;
};

// Whatever this process starts carries the mark, a compiler or buildah too: if it is killed, `down` and the next `up` find them.
process.env[markVariable] = clusterDir();

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  console.error(`cluster: FAILED: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Error && error.cause instanceof Error)
    console.error(`caused by: ${error.cause.message}`);
  console.error(`cluster: logs are in ${join(clusterDir(), 'logs')}`);
  process.exitCode = 1;
}
