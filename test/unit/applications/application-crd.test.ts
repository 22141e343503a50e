import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { buildApplicationCrd } from '../../../src/applications/index.ts';

/** Words of JSON Schema that a structural schema may not have. */
const FORBIDDEN = ['$schema', '$ref', 'anyOf', 'oneOf', 'allOf', 'not', 'exclusiveMinimum', 'const'];

function* nodes(node: unknown): Generator<Record<string, unknown>> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield node as Record<string, unknown>;
  for (const child of Object.values(node)) yield* nodes(child);
}

describe('buildApplicationCrd', () => {
  const crd = buildApplicationCrd();

  it('is what is committed', () => {
    expect(parse(readFileSync('manifests/crd/applications.yaml', 'utf8'))).toEqual(crd);
  });

  it('has only what a structural schema may have', () => {
    const found = [...nodes(crd)].flatMap((node) => FORBIDDEN.filter((word) => word in node));
    expect(found).toEqual([]);
  });

  it('has maps whose members have a type, and no member names beside them', () => {
    const maps = [...nodes(crd)].filter((node) => 'additionalProperties' in node);
    expect(maps.length).toBeGreaterThan(0);
    for (const map of maps) {
      expect(map).toMatchObject({ type: 'object', additionalProperties: { type: expect.any(String) } });
      expect(map).not.toHaveProperty('properties');
    }
  });

  it('keeps defaults, bounds and descriptions', () => {
    const text = JSON.stringify(crd);
    expect(text).toContain('"default":"delete"');
    expect(text).toContain('"maxItems":64');
    expect(text).toContain('SHA-256 of the token');
  });
});
