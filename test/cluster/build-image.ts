import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareImage } from '../../scripts/prepare-image.ts';
import { listFiles, nodeContents, writeRoot } from './image-contents.ts';
import type { ImageContents } from './image-contents.ts';
import { withProgress } from './progress.ts';
import { runCommand } from './run-command.ts';
import { cacheDir, checkoutDir } from './settings.ts';

const imageCache = join(cacheDir(), 'images');
const leftoverAgeMs = 60 * 60_000;

/** What killed builds left. Nothing trips over it, it is only large. */
const removeLeftovers = async (): Promise<void> => {
  for (const name of await readdir(imageCache)) {
    const path = join(imageCache, name);
    if (name.endsWith('.tar')) continue;
    if (Date.now() - (await stat(path)).mtimeMs > leftoverAgeMs)
      await rm(path, { recursive: true, force: true });
  }
};

/**
 * Builds with buildah into an archive, from nothing but local files. Its storage lives as long as the build, and its mounts as long
 * as its own mount namespace, so an interrupted build leaves nothing that the next one could stumble over.
 */
const buildArchive = async (tag: string, archive: string, buildArgs: readonly string[]): Promise<void> => {
  const storage = await mkdtemp(join(imageCache, 'storage-'));
  const buildah = (args: readonly string[]): Promise<unknown> => {
    const store = [
      '--storage-driver',
      'vfs',
      '--root',
      join(storage, 'root'),
      '--runroot',
      join(storage, 'run'),
    ];
    return runCommand('unshare', ['--mount', 'buildah', ...store, ...args], {
      timeoutMs: 15 * 60_000,
      cwd: checkoutDir,
      env: { TMPDIR: storage },
    });
  };
  try {
    const unfinished = join(storage, 'image.tar');
    await buildah(['bud', '--isolation', 'chroot', '--layers=false', '--tag', tag, ...buildArgs]);
    await buildah(['push', tag, `docker-archive:${unfinished}:${tag}`]);
    await rename(unfinished, archive);
  } finally {
    await rm(storage, { recursive: true, force: true });
  }
};

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The archive of an image, built when the cache has none of the same contents. */
export const ensureImage = async (contents: ImageContents): Promise<string> => {
  const files = await listFiles(contents);
  const hash = createHash('sha256').update(JSON.stringify(contents));
  for (const [to, from] of files) hash.update(`\0${to}\0`).update(await readFile(from));
  const name = contents.tag.replace('localhost/', '').replace(':', '-');
  const archive = join(imageCache, `${name}-${hash.digest('hex').slice(0, 16)}.tar`);
  if (await isThere(archive)) return archive;
  await mkdir(imageCache, { recursive: true });
  await removeLeftovers();
  const context = await mkdtemp(join(imageCache, 'context-'));
  try {
    await withProgress(`building the image ${contents.tag}`, async () => {
      await writeRoot(join(context, 'root'), contents, files);
      const dockerfile = [
        'FROM scratch',
        'COPY root/ /',
        'USER 65532:65532',
        `CMD ${JSON.stringify(contents.command)}`,
      ];
      await writeFile(join(context, 'Dockerfile'), dockerfile.join('\n'));
      await buildArchive(contents.tag, archive, ['-f', join(context, 'Dockerfile'), context]);
    });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  return archive;
};

export const projectImage = 'localhost/krake-hooks:dev';

/** Builds the project's Dockerfile on the local base image; where the archive is. Every call builds. */
export const buildProjectImage = async (dir: string): Promise<string> => {
  const base = await ensureImage(nodeContents());
  const archive = join(dir, 'krake-hooks.tar');
  await mkdir(dir, { recursive: true });
  await withProgress('compiling the service and installing what it needs', prepareImage);
  await withProgress(`building the image ${projectImage}`, () =>
    buildArchive(projectImage, archive, [
      '--build-arg',
      `BASE_IMAGE=docker-archive:${base}`,
      '-f',
      'Dockerfile',
      '.',
    ]),
  );
  return archive;
};
