import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One leaf of the configuration, as its documentation and its environment variable know it. */
export interface ConfigKey {
  /** Dotted path in the file, for example `callbacks.externalEndpoint`. */
  readonly path: string;
  /** Its environment variable, for example `KRAKE_HOOKS_CALLBACKS_EXTERNAL_ENDPOINT`. */
  readonly env: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array';
  readonly byDefault: unknown;
  readonly description: string;
}

interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly default?: unknown;
  readonly description?: string;
}

/** Every key of the configuration, in the order of the schema. */
export function listConfigKeys(): ConfigKey[] {
  return leaves(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode, []);
}

function leaves(node: SchemaNode, path: readonly string[]): ConfigKey[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([key, child]) => leaves(child, [...path, key]));
  }
  const type = (node.type ?? 'string') as ConfigKey['type'];
  const env = ['krakeHooks', ...path].map((part) => part.replace(/([A-Z])/g, '_$1').toUpperCase()).join('_');
  return [{ path: path.join('.'), env, type, byDefault: node.default, description: node.description ?? '' }];
}
