import { describe, expect, it } from '@jest/globals';
import {
  ANNOTATION_REFERENCE,
  USER_ANNOTATIONS,
  parseHookAnnotations,
  parseShutdownService,
} from '../../../src/contract/index.ts';

const entries = ANNOTATION_REFERENCE.map((entry) => [entry.key, entry] as const);

describe('the reference of annotations', () => {
  it('has each of them, once', () => {
    expect(ANNOTATION_REFERENCE.map(({ key }) => key)).toEqual([...USER_ANNOTATIONS]);
  });

  it.each(entries)('%s: each example is read without a warning', (key, { examples }) => {
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) expect(parseHookAnnotations({ [key]: example }).warnings).toEqual([]);
  });

  it.each(entries)(
    '%s: its default, written out, asks for the same as nothing',
    (key, { byDefault, hook }) => {
      if (byDefault === undefined || hook === 'any') return;
      expect(parseHookAnnotations({ [key]: byDefault })).toEqual(parseHookAnnotations(undefined));
    },
  );

  it.each(entries)('%s: no line ends the table, and no cell breaks it', (_key, entry) => {
    for (const text of [entry.values, entry.meaning, entry.misspelt, entry.byDefault ?? '']) {
      expect(text).not.toMatch(/\n|(?<!\\)\|/);
    }
  });

  it('knows which form the examples of a service have', () => {
    const service = ANNOTATION_REFERENCE.find(({ key }) => key.endsWith('/shutdown-service'));
    const forms = service?.examples.map((example) => parseShutdownService(example)?.form);
    expect(forms).toEqual(['service', 'service', 'service', 'pod', 'pod']);
  });
});
