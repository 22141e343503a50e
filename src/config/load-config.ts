import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { didYouMean } from '../contract/index.ts';
import { ConfigError } from './config-error.ts';
import { listConfigKeys, type ConfigKey } from './config-keys.ts';
import { configSchema, type Config } from './schema.ts';

const ENV_PREFIX = 'KRAKE_HOOKS_';

export interface ConfigSources {
  /** Path of a YAML or JSON file. */
  readonly file?: string | undefined;
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Values by dotted path, as flags give them; a list is a comma-separated text. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads file, environment and flags, the later over the earlier, and checks the whole.
 *
 * @throws ConfigError naming each key that is wrong; an unknown `KRAKE_HOOKS_` variable or key is wrong as well, since it
 *   is most often a slip
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const keys = listConfigKeys();
  const tree = sources.file === undefined ? {} : readConfigFile(sources.file);
  for (const [variable, value] of Object.entries(sources.env ?? process.env)) {
    if (value === undefined || !variable.startsWith(ENV_PREFIX) || isServiceLink(variable, value)) continue;
    const key = keys.find((candidate) => candidate.env === variable);
    if (key === undefined)
      throw new ConfigError(
        `environment variable ${variable} is unknown${hint(
          variable,
          keys.map((k) => k.env),
        )}`,
      );
    setPath(tree, key.path, readText(key, value, variable));
  }
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    const key = keys.find((candidate) => candidate.path === path);
    if (value === undefined) continue;
    if (key === undefined)
      throw new ConfigError(
        `configuration key ${path} is unknown${hint(
          path,
          keys.map((k) => k.path),
        )}`,
      );
    setPath(tree, path, readText(key, value, path));
  }
  const result = configSchema.safeParse(tree);
  if (result.success) return result.data;
  const issues = result.error.issues.map(
    (issue) => `${issue.path.join('.') || '(top level)'}: ${issue.message}`,
  );
  throw new ConfigError(`the configuration is not valid\n  ${issues.join('\n  ')}`);
}

/**
 * Kubernetes gives each container variables for the Services of its namespace (`KRAKE_HOOKS_ADMISSION_SERVICE_HOST`,
 * `KRAKE_HOOKS_ADMISSION_PORT_443_TCP`, and `KRAKE_HOOKS_ADMISSION_PORT=tcp://…`), and our Services' names begin like our variables.
 */
function isServiceLink(variable: string, value: string): boolean {
  return (
    /^(tcp|udp):\/\//.test(value) ||
    /_SERVICE_(HOST|PORT)(_|$)/.test(variable) ||
    /_PORT_\d+_(TCP|UDP)(_|$)/.test(variable)
  );
}

function readConfigFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read the configuration file ${file}`, { cause });
  }
  let value: unknown;
  try {
    value = parseYaml(text) ?? {};
  } catch (cause) {
    throw new ConfigError(`the configuration file ${file} is neither YAML nor JSON`, { cause });
  }
  if (!isTree(value)) throw new ConfigError(`the configuration file ${file} must hold a mapping of keys`);
  return value;
}

function readText(key: ConfigKey, text: string, name: string): unknown {
  switch (key.type) {
    case 'array':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw new ConfigError(`${name} must be true or false`);
      return text === 'true';
    case 'integer':
    case 'number': {
      const value = Number(text);
      if (text.trim() === '' || Number.isNaN(value)) throw new ConfigError(`${name} must be a number`);
      return value;
    }
    case 'string':
      return text;
  }
}

function setPath(tree: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split('.');
  const last = parts.pop() ?? path;
  let node = tree;
  for (const part of parts) {
    const child = node[part];
    node = isTree(child) ? child : (node[part] = {});
  }
  node[last] = value;
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hint(word: string, known: readonly string[]): string {
  const meant = didYouMean(word, known);
  return meant === undefined ? '; docs/configuration.md lists them all' : `; did you mean ${meant}?`;
}
