import { cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findProgram, runCommand } from './run-command.ts';

const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** What an image holds: programs of this machine with the libraries that they are linked to, and little else. */
export interface ImageContents {
  readonly tag: string;
  /** Path in the image → file on this machine. */
  readonly programs: Readonly<Record<string, string>>;
  /** Names under which /bin/busybox is called. */
  readonly applets: readonly string[];
  readonly withCertificates: boolean;
  readonly command: readonly string[];
}

const locate = async (name: string): Promise<string> => {
  const path = await findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return realpath(path);
};

/** Holds a pod's namespaces, as Kubernetes' own pause image does. */
export const pauseContents = async (): Promise<ImageContents> => ({
  tag: 'localhost/pause:1',
  programs: { '/bin/busybox': await locate('busybox') },
  applets: [],
  withCertificates: false,
  command: ['/bin/busybox', 'sleep', '2147483647'],
});

/** A shell, curl, Node.js and the usual small tools, for demos and tests. */
export const toolsContents = async (): Promise<ImageContents> => {
  const busybox = await locate('busybox');
  const { stdout } = await runCommand(busybox, ['--list']);
  return {
    tag: 'localhost/tools:1',
    programs: {
      '/bin/busybox': busybox,
      '/bin/bash': await locate('bash'),
      '/usr/bin/curl': await locate('curl'),
      '/usr/local/bin/node': process.execPath,
    },
    applets: stdout.split('\n').filter((name) => name !== '' && name !== 'busybox' && name !== 'bash'),
    withCertificates: true,
    command: ['/bin/sleep', '2147483647'],
  };
};

/** What the project's Dockerfile takes as BASE_IMAGE here: the Node.js that runs this, where node's own image has it. */
export const nodeContents = (): ImageContents => ({
  tag: `localhost/krake-hooks-base:node${process.versions.node.split('.')[0]}`,
  programs: { '/usr/local/bin/node': process.execPath },
  applets: [],
  withCertificates: true,
  command: ['/usr/local/bin/node'],
});

/** The libraries and the loader of a program; none when it is linked statically. */
const findLibraries = async (program: string): Promise<readonly string[]> => {
  const { code, stdout } = await runCommand('ldd', [program], { allowFailure: true });
  return code === 0 ? [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '') : [];
};

const copyInto = async (root: string, from: string, to: string): Promise<void> => {
  await mkdir(dirname(join(root, to)), { recursive: true });
  await cp(await realpath(from), join(root, to));
};

/** The files of this machine that go into an image, by their path in the image. */
export const listFiles = async (contents: ImageContents): Promise<ReadonlyMap<string, string>> => {
  const files = new Map(Object.entries(contents.programs));
  for (const program of Object.values(contents.programs)) {
    for (const library of await findLibraries(program)) files.set(library, library);
  }
  if (contents.withCertificates) files.set(certificates, certificates);
  return files;
};

/** Lays out an image's root directory. */
export const writeRoot = async (
  root: string,
  contents: ImageContents,
  files: ReadonlyMap<string, string>,
): Promise<void> => {
  for (const dir of ['tmp', 'etc', 'bin', 'home/nonroot']) await mkdir(join(root, dir), { recursive: true });
  await runCommand('chmod', ['1777', join(root, 'tmp')]);
  for (const [to, from] of files) await copyInto(root, from, to);
  for (const applet of contents.applets) await symlink('/bin/busybox', join(root, 'bin', applet));
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
};
