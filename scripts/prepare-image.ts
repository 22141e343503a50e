// Makes .work/image, everything that the Dockerfile copies: the compiled service, its production dependencies, its package.json.
// Outside of the image build, because that then needs no network, no npm and no shell in the base image.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const checkout = resolve(import.meta.dirname, '..');
const work = join(checkout, '.work');

/** What of package.json the running service reads or a person looking into the image wants to know. */
const KEPT_FIELDS = ['name', 'version', 'description', 'license', 'type', 'dependencies'];

/** Type declarations and source maps: half of what npm installs, and nothing reads them at run time. */
const FOR_DEVELOPERS = /\.(?:map|d\.[cm]?ts)$/;

/**
 * Makes `.work/image` anew and returns its path. The installed dependencies are kept from run to run while package-lock.json is the same,
 * so only the first run asks the npm registry. An interrupted run leaves the previous result as it was.
 *
 * @throws Error with what npm or the compiler wrote
 */
export async function prepareImage(): Promise<string> {
  await mkdir(work, { recursive: true });
  const dependencies = await installDependencies();
  const unfinished = await mkdtemp(join(work, 'image-'));
  try {
    await runOrExplain('node', [
      join(checkout, 'node_modules/typescript/bin/tsc'),
      ...['-p', join(checkout, 'tsconfig.build.json'), '--outDir', join(unfinished, 'dist')],
    ]);
    await cp(join(dependencies, 'node_modules'), join(unfinished, 'node_modules'), {
      recursive: true,
      filter: (path) => !FOR_DEVELOPERS.test(path),
    });
    await copyFile(join(checkout, 'LICENSE'), join(unfinished, 'LICENSE'));
    await writeFile(join(unfinished, 'package.json'), await runtimePackageJson());
    const image = join(work, 'image');
    await rm(image, { recursive: true, force: true });
    await rename(unfinished, image);
    return image;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** The directory with the production node_modules that package-lock.json names. */
async function installDependencies(): Promise<string> {
  const lock = await readFile(join(checkout, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 16);
  const installed = join(work, `dependencies-${hash}`);
  try {
    await readFile(join(installed, 'node_modules/.package-lock.json'));
    return installed;
  } catch {
    // not there, or not complete: npm writes that file last
  }
  await rm(installed, { recursive: true, force: true });
  await mkdir(installed, { recursive: true });
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    await copyFile(join(checkout, file), join(installed, file));
  }
  // The optional dependencies are the Node binaries for development; the base image has its own.
  const flags = [
    '--omit=dev',
    '--omit=optional',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ];
  await runOrExplain('npm', ['ci', ...flags], installed);
  return installed;
}

async function runtimePackageJson(): Promise<string> {
  const all = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as Record<string, unknown>;
  const kept = Object.fromEntries(KEPT_FIELDS.map((field) => [field, all[field]]));
  return `${JSON.stringify(kept, undefined, 2)}\n`;
}

async function runOrExplain(program: string, args: readonly string[], cwd = checkout): Promise<void> {
  try {
    await run(program, args, { cwd, maxBuffer: 16 * 1024 * 1024 });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(' ')} failed\n${stdout}${stderr}`.trimEnd(), { cause });
  }
}

if (import.meta.main) {
  try {
    process.stdout.write(`${await prepareImage()}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
