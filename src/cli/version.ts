import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The package's version; package.json lies beside both src/ and dist/. */
export const VERSION = (
  JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as {
    readonly version: string;
  }
).version;
