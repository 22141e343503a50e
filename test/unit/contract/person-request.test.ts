import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatPersonRequest, isRotateRequest, parsePersonRequest } from '../../../src/contract/index.ts';

describe('parsePersonRequest', () => {
  it.each([
    ['retry', { request: 'retry', nodeSelector: {} }],
    [' release\n', { request: 'release', nodeSelector: {} }],
    ['cancel', { request: 'cancel', nodeSelector: {} }],
    ['migrate', { request: 'migrate', nodeSelector: {} }],
    ['migrate:disk=ssd', { request: 'migrate', nodeSelector: { disk: 'ssd' } }],
    ['migrate: disk=ssd , zone=a', { request: 'migrate', nodeSelector: { disk: 'ssd', zone: 'a' } }],
    ['migrate:spot=', { request: 'migrate', nodeSelector: { spot: '' } }],
    ['migrate:a=1,a=1', { request: 'migrate', nodeSelector: { a: '1' } }],
    ['migrate:constructor=x', { request: 'migrate', nodeSelector: { constructor: 'x' } }],
    ['migrate:a/b=c', { request: 'migrate', nodeSelector: { 'a/b': 'c' } }],
    [
      'migrate:topology.kubernetes.io/zone=eu-1_A.b',
      { request: 'migrate', nodeSelector: { 'topology.kubernetes.io/zone': 'eu-1_A.b' } },
    ],
    ['rotate', { request: 'rotate', nodeSelector: {} }],
    ['rotate:1h30m', { request: 'rotate', nodeSelector: {}, graceMs: 5_400_000 }],
    [' rotate: PT10M ', { request: 'rotate', nodeSelector: {}, graceMs: 600_000 }],
    ['rotate:0s', { request: 'rotate', nodeSelector: {}, graceMs: 0 }],
    ['rotate:720h', { request: 'rotate', nodeSelector: {}, graceMs: 2_592_000_000 }],
  ])('reads %j', (text, expected) => {
    expect(parsePersonRequest(text)).toEqual(expected);
  });

  it.each([
    '',
    'Retry',
    'retries',
    'toString',
    'retry:now',
    'retry:',
    'release:a=b',
    'cancel:a=b',
    'migrate:',
    'migrate:a',
    'migrate:=a',
    'migrate:a=b,',
    'migrate:a=b=c',
    'migrate:a=b c',
    'migrate:a=-b',
    'migrate:-a=b',
    'migrate:/a=b',
    'migrate:a/=b',
    'migrate:a/b/c=d',
    'migrate:A.example/b=c',
    'migrate:a..b/c=d',
    'migrate:a=1,a=2',
    'migrate:__proto__=x',
    `migrate:${'a'.repeat(64)}=b`,
    `migrate:a=${'b'.repeat(64)}`,
    `migrate:${'a.'.repeat(127)}/b=c`,
    'migrate a=b',
    'rotate:',
    'rotate:soon',
    'rotate:721h',
    'rotate:-1h',
    `rotate:${'9'.repeat(60)}h`,
    'rotate:a=b',
    'rotates',
    `migrate:${Array.from({ length: 130 }, (_, i) => `k${i}=v`).join(',')}`,
    `retry${' '.repeat(600)}`,
  ])('refuses %j', (text) => {
    expect(parsePersonRequest(text)).toBeUndefined();
  });

  it('reads back what is written', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9](?:[-\w.]{0,10}[A-Za-z0-9])?$/);
    const prefix = fc.stringMatching(/^[a-z0-9](?:[-a-z0-9]{0,8}[a-z0-9])?(?:\.[a-z0-9]{1,5}){0,2}$/);
    const key = fc.oneof(
      part,
      fc.tuple(prefix, part).map((both) => both.join('/')),
    );
    const nodeSelector = fc.dictionary(key, fc.oneof(part, fc.constant('')), {
      maxKeys: 5,
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(nodeSelector, (selector) => {
        const request = { request: 'migrate' as const, nodeSelector: selector };
        expect(parsePersonRequest(formatPersonRequest(request))).toEqual(request);
      }),
    );
  });

  it('reads back a time of grace', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_592_000_000 }), (graceMs) => {
        const request = { request: 'rotate' as const, nodeSelector: {}, graceMs };
        expect(parsePersonRequest(formatPersonRequest(request))).toEqual(request);
      }),
    );
    expect(formatPersonRequest({ request: 'rotate', nodeSelector: {}, graceMs: 5_400_000 })).toBe(
      'rotate:90m',
    );
  });

  it.each([
    ['rotate', true],
    [' rotate:nonsense', true],
    ['rotates', false],
    ['retry', false],
  ])('knows who %j is for', (text, expected) => {
    expect(isRotateRequest(text)).toBe(expected);
  });

  it('never throws', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.string({ maxLength: 300 }).map((rest) => `migrate:${rest}`),
      fc.constantFrom(
        `migrate:${'a'.repeat(490)}=`,
        `migrate:${'a-'.repeat(120)}/`,
        `migrate:${'a.'.repeat(240)}`,
      ),
    );
    fc.assert(
      fc.property(text, (written) => {
        const parsed = parsePersonRequest(written);
        if (parsed !== undefined) expect(parsePersonRequest(formatPersonRequest(parsed))).toEqual(parsed);
      }),
      { numRuns: 1_000 },
    );
  });
});
