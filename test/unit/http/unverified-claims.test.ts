import { describe, expect, it } from '@jest/globals';
import { isMeantFor, unverifiedClaims } from '../../../src/http/index.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (payload: unknown, signature = 'c2ln') =>
  `${encode({ alg: 'RS256' })}.${encode(payload)}.${signature}`;

describe('what an unverified token says of itself', () => {
  it('is its payload', () => {
    expect(unverifiedClaims(jwt({ aud: 'us', exp: 7 }))).toEqual({ aud: 'us', exp: 7 });
  });

  it.each([
    ['nothing', ''],
    ['two parts', `${encode({})}.${encode({})}`],
    ['four parts', `${jwt({})}.c2ln`],
    ['another alphabet', jwt({}, 'c2+n')],
    ['no JSON', `${encode({})}.AAAA.c2ln`],
    ['a text', jwt('claims')],
    ['nothing in it', jwt(null)],
    ['longer than any', jwt({}, 'A'.repeat(8_192))],
    ['another spelling of its signature', jwt({}, 'c2B')],
    ['a part that is no whole number of bytes', jwt({}, 'c2lnA')],
  ])('%s: none', (_what, token) => {
    expect(unverifiedClaims(token)).toBeUndefined();
  });

  it.each([
    ['us', true],
    [['others', 'us'], true],
    [['others'], false],
    [undefined, false],
    [{ us: 'us' }, false],
  ])('audience %j', (aud, isOurs) => {
    expect(isMeantFor({ aud }, 'us')).toBe(isOurs);
  });
});
