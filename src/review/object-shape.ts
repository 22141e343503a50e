import { MalformedObjectError } from './malformed-object-error.ts';

/** A JSON object of which we know nothing yet. Only ever read by names that we know: its own `__proto__` key is data like any other. */
export type JsonObject = Readonly<Record<string, unknown>>;
export type StringMap = Readonly<Record<string, string>>;

/** The object; undefined when it is absent or null, which mean the same to the API server. */
export function readObject(value: unknown, field: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw new MalformedObjectError(field, 'an object');
  return value as JsonObject;
}

/** The list of objects; undefined when it is absent or null. */
export function readObjects(value: unknown, field: string): readonly JsonObject[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new MalformedObjectError(field, 'a list');
  for (const item of value) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      throw new MalformedObjectError(field, 'a list of objects');
    }
  }
  return value as readonly JsonObject[];
}

/** The text; undefined when it is absent or null or empty (Go writes an unset field so). */
export function readString(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new MalformedObjectError(field, 'a string');
  return value;
}

/** The map of texts (labels, annotations); undefined when it is absent or null. */
export function readStringMap(value: unknown, field: string): StringMap | undefined {
  const map = readObject(value, field);
  if (map === undefined) return undefined;
  for (const key in map) {
    if (typeof map[key] !== 'string') throw new MalformedObjectError(field, 'a map of strings');
  }
  return map as StringMap;
}
