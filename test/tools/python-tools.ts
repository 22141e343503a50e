import { createHash } from 'node:crypto';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../cluster/lock-file.ts';
import { warn, withProgress } from '../cluster/progress.ts';
import { findProgram, runCommand } from '../cluster/run-command.ts';
import { cacheDir } from '../cluster/settings.ts';

/** Tools of other people that judge what we make; pinned, since a new version may find something new on any day. */
const PACKAGES = ['cryptography==50.0.2', 'schemathesis==4.32.5', 'standardwebhooks==1.1.0'] as const;

export interface PythonTools {
  /** A Python that can import the packages. */
  readonly python: string;
  readonly schemathesis: string;
}

const INSTALL_MS = 150_000;
/** Written last: an installation that was interrupted has none. */
const COMPLETE = 'complete';

/**
 * The tools in a virtual environment of the cache, made there when it is missing (10 s from a near package index). Undefined, with a loud line that says why, where there is no Python or no
 * package index: the checks that need them are skipped then, and counted as skipped. On repeat nothing is installed.
 */
export async function ensurePythonTools(): Promise<PythonTools | undefined> {
  try {
    return toolsIn(await ensureEnvironment());
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
    warn(`checks by ${PACKAGES.join(', ')} are SKIPPED: they could not be installed: ${why}`);
    return undefined;
  }
}

function toolsIn(environment: string): PythonTools {
  return { python: join(environment, 'bin/python'), schemathesis: join(environment, 'bin/schemathesis') };
}

async function ensureEnvironment(): Promise<string> {
  const python = await findProgram('python3');
  if (python === undefined) throw new Error('there is no python3');
  const { stdout: version } = await runCommand(python, ['--version']);
  const key = createHash('sha256')
    .update([version.trim(), ...PACKAGES].join('\n'))
    .digest('hex')
    .slice(0, 16);
  const dir = join(cacheDir(), 'python');
  const target = join(dir, `tools-${key}`);
  const isComplete = (): Promise<boolean> =>
    stat(join(target, COMPLETE)).then(
      () => true,
      () => false,
    );
  if (await isComplete()) return target;
  await mkdir(dir, { recursive: true });
  await withLock(join(dir, 'tools.lock'), 2 * INSTALL_MS, async () => {
    if (!(await isComplete())) await install(python, target);
  });
  return target;
}

/** A virtual environment knows its own path, so it is made in its place, and is complete once the mark is there. */
async function install(python: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await withProgress(`installing ${PACKAGES.join(', ')} into ${target}, once`, async () => {
    await runCommand(python, ['-m', 'venv', target], { timeoutMs: 60_000 });
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--retries',
      '1',
      '--timeout',
      '10',
    ];
    await runCommand(join(target, 'bin/python'), [...pip, ...PACKAGES], { timeoutMs: INSTALL_MS });
    await writeFile(join(target, COMPLETE), '');
  });
}
