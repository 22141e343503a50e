import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { findCanaries, formsOf, type Canary } from './canary-search.ts';

// The search that canary.test.ts stands on can fail: it finds what was leaked, in every form.

describe('the search', () => {
  const bytes = Buffer.from(randomBytes(24).toString('base64url'));
  const canary: Canary = { name: 'token', bytes, holders: ['Secret a/b'] };
  const found = (text: string) => findCanaries(new Map([['log', text]]), [canary]);

  it.each([...formsOf(bytes)])('finds %s', (_form, text) => {
    expect(found(`before ${text} after`)).not.toEqual([]);
  });
  it('finds what is broken over lines or within something that was encoded', () => {
    const plain = bytes.toString();
    expect(found(`"${plain.slice(0, 5)}\\n${plain.slice(5)}"`)).not.toEqual([]);
    for (const around of ['', 'a', 'ab', 'abc']) {
      const encoded = Buffer.from(`${around}${plain}${around}`).toString('base64');
      expect(found(encoded)).not.toEqual([]);
      expect(found(encoded.replaceAll(/.{10}/g, '$&\n'))).not.toEqual([]);
    }
  });
  it('finds nothing where there is nothing, or where it belongs', () => {
    expect(found(randomBytes(4_096).toString('base64'))).toEqual([]);
    expect(found(createHash('sha256').update(bytes).digest('hex'))).toEqual([]);
    expect(findCanaries(new Map([['Secret a/b', bytes.toString()]]), [canary])).toEqual([]);
  });
});
