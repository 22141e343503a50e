import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Paths, as in `pki.clientCertificates`. */
export interface IntermediateFiles {
  readonly intermediateCert: string;
  readonly intermediateKey?: string | undefined;
  readonly intermediatePassphraseFile?: string | undefined;
  readonly rootsFile?: string | undefined;
}

export type IntermediateFile = keyof IntermediateFiles;

/** What is in the files that are configured. */
export interface IntermediateContents {
  readonly contents: Readonly<Partial<Record<IntermediateFile, Buffer>>>;
  /** How an error names a file: its setting and its path. */
  readonly name: (file: IntermediateFile) => string;
  /** Equal for equal contents. */
  readonly digest: string;
}

const FILES = ['intermediateCert', 'intermediateKey', 'intermediatePassphraseFile', 'rootsFile'] as const;

/** @throws Error that names every file that cannot be read */
export async function readIntermediateFiles(paths: IntermediateFiles): Promise<IntermediateContents> {
  const name = (file: IntermediateFile) =>
    `pki.clientCertificates.${file}${paths[file] === undefined ? '' : ` (${paths[file]})`}`;
  const contents: Partial<Record<IntermediateFile, Buffer>> = {};
  const problems: string[] = [];
  const hash = createHash('sha256');
  for (const file of FILES) {
    const path = paths[file];
    if (path === undefined) continue;
    try {
      const content = await readFile(path);
      contents[file] = content;
      hash.update(`${file} ${content.length}\n`).update(content);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      problems.push(`${name(file)}: cannot be read (${why}); is it mounted there?`);
    }
  }
  if (problems.length > 0) throw new Error(problems.join('; '));
  return { contents, name, digest: hash.digest('hex') };
}
