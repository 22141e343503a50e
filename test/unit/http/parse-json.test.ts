import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from '../../../src/http/index.ts';

const parse = (text: string, maxDepth?: number) =>
  parseJson(Buffer.from(text), maxDepth === undefined ? {} : { maxDepth });

describe('parseJson', () => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text, 1_000)).toEqual({ kind: 'json', value: JSON.parse(text) as unknown });
      }),
    );
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['json', 'invalid']).toContain(parseJson(Buffer.from(bytes)).kind);
      }),
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'empty'],
    ['half a JSON', Buffer.from('{"token": "se'), 'not JSON'],
    ['a form', Buffer.from('token=secret'), 'not JSON'],
    ['invalid UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22]), 'not UTF-8'],
    ['UTF-16', Buffer.from('{"token": "é"}', 'utf16le'), 'not UTF-8'],
    ['an overlong UTF-8 sequence', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'not UTF-8'],
    ['100,000 arrays', Buffer.from('['.repeat(100_000)), 'nested deeper'],
    ['100,000 objects', Buffer.from('{"a":'.repeat(100_000)), 'nested deeper'],
  ])('refuses %s', (_name, body, why) => {
    const result = parseJson(body);
    expect(result).toMatchObject({ kind: 'invalid' });
    expect(result.kind === 'invalid' && result.detail).toContain(why);
  });

  it('counts nesting, not brackets in strings or side by side', () => {
    expect(parse('[[1],[2],[3]]', 2).kind).toBe('json');
    expect(parse('[[[1]]]', 2).kind).toBe('invalid');
    expect(parse(JSON.stringify({ token: '[[[[{{{{' }), 1).kind).toBe('json');
    expect(parse(JSON.stringify({ token: '\\"[[[[' }), 1).kind).toBe('json');
  });

  it('tells nothing of the text that it could not read', () => {
    expect(JSON.stringify(parse('{"token": canary-secret}'))).not.toContain('canary');
  });

  it('__proto__ is a property like any other and changes no object', () => {
    const result = parse('{"__proto__": {"token": "x"}, "constructor": {"prototype": {"polluted": 1}}}');
    expect(result.kind === 'json' && Object.hasOwn(result.value as object, '__proto__')).toBe(true);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(result.kind === 'json' && Object.hasOwn(result.value as object, 'token')).toBe(false);
  });
});
