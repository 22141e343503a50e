import { z } from 'zod';

/** A node of an OpenAPI v3 schema as CustomResourceDefinitions want it. */
export type StructuralSchema = Readonly<Record<string, unknown>>;

/**
 * The structural OpenAPI v3 schema of what a client may write for a zod schema. Only what the API server accepts is kept: the pattern
 * that zod writes beside `format: date-time` goes (the format says it), as do the bounds of safe integers (`int64` says them).
 */
export function buildStructuralSchema(schema: z.ZodType): StructuralSchema {
  // io input: a field with a default is not required. Nothing is reused, so no $ref comes about.
  return structural(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' }));
}

function structural(node: Readonly<Record<string, unknown>>): StructuralSchema {
  const kept: Record<string, unknown> = { ...node };
  delete kept.$schema;
  delete kept.propertyNames;
  if (isNode(kept.additionalProperties)) {
    // A map: an object whose member names are the writer's own.
    kept.additionalProperties = structural(kept.additionalProperties);
  } else delete kept.additionalProperties;
  if (kept.format === 'date-time') delete kept.pattern;
  if (kept.type === 'integer') return integer(kept);
  if (isNode(kept.items)) kept.items = structural(kept.items);
  if (isNode(kept.properties)) {
    kept.properties = Object.fromEntries(
      Object.entries(kept.properties).map(([name, child]) => [
        name,
        isNode(child) ? structural(child) : child,
      ]),
    );
  }
  return kept;
}

function integer(node: Record<string, unknown>): StructuralSchema {
  if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
  if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
  return { ...node, format: 'int64' };
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
