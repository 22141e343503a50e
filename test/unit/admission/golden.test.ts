import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import type { ConfigInput } from '../../../src/config/index.ts';
import { admit, settingsOf, type RequestInput } from './admission-fixtures.ts';

// test/testdata/admission/CASE/input.yaml is what the API server asks, expected.yaml what comes of it, the patch applied.
// UPDATE_GOLDEN=1 writes the expectations anew: read the difference before it is committed.
const cases = join(import.meta.dirname, '../../testdata/admission');
const isUpdate = process.env.UPDATE_GOLDEN === '1';
if (isUpdate && process.env.CI !== undefined && process.env.CI !== '') {
  throw new Error('UPDATE_GOLDEN is refused in CI: there the expectations are what is tested');
}

type Input = RequestInput & { readonly config?: ConfigInput };

describe('golden cases', () => {
  const names = readdirSync(cases);

  it('are there', () => {
    expect(names.length).toBeGreaterThan(40);
  });

  it.each(names)('%s', (name) => {
    const input = parse(readFileSync(join(cases, name, 'input.yaml'), 'utf8')) as Input;
    const settings = settingsOf(input.config);
    const before = structuredClone(input);
    const { decision, object } = admit(input, settings);
    expect(input).toEqual(before);

    const { outcome, reason, application, warnings } = decision;
    const result = {
      outcome,
      reason,
      ...(application !== undefined && { application }),
      ...(decision.outcome === 'denied' && { message: decision.message }),
      ...(warnings.length > 0 && { warnings: [...warnings] }),
      ...(decision.outcome === 'patched' && { object }),
    };
    const file = join(cases, name, 'expected.yaml');
    if (isUpdate) writeFileSync(file, stringify(result, { lineWidth: 0, aliasDuplicateObjects: false }));
    expect(result).toEqual(parse(readFileSync(file, 'utf8')));

    // Asked again about what came of it, as at a reinvocation, with the new UID that the API server gives each time.
    const again = admit({ ...input, object, uid: 'another' }, settings);
    if (decision.outcome === 'denied') return;
    expect(again.decision.outcome).toBe('unchanged');
    expect(again.object).toEqual(object);
  });
});
