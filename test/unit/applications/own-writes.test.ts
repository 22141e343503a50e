import { describe, expect, it } from '@jest/globals';
import { createOwnWrites } from '../../../src/applications/own-writes.ts';

describe('own writes', () => {
  it('knows a write that was answered before the watch shows it', () => {
    const writes = createOwnWrites();
    writes.begin('a');
    writes.add('7');
    expect(writes.isForeign('a', '7')).toBe(false);
    expect(writes.end('a')).toBe(false);
    expect(writes.isForeign('a', '7')).toBe(false);
  });

  it('knows a write that the watch shows before it is answered', () => {
    const writes = createOwnWrites();
    writes.begin('a');
    expect(writes.isForeign('a', '7')).toBe(false);
    writes.add('7');
    expect(writes.end('a')).toBe(false);
  });

  it('tells at the end of a pass of what somebody else has written meanwhile', () => {
    const writes = createOwnWrites();
    writes.begin('a');
    expect(writes.isForeign('a', '7')).toBe(false);
    expect(writes.isForeign('a', '8')).toBe(false);
    writes.add('7');
    expect(writes.end('a')).toBe(true);
    writes.begin('a');
    expect(writes.end('a')).toBe(false);
  });

  it('takes what comes outside of a pass, or for another key, for foreign', () => {
    const writes = createOwnWrites();
    expect(writes.isForeign('a', '7')).toBe(true);
    writes.begin('a');
    expect(writes.isForeign('b', '8')).toBe(true);
    expect(writes.end('a')).toBe(false);
    expect(writes.isForeign('a', '9')).toBe(true);
  });

  it('forgets the oldest of many', () => {
    const writes = createOwnWrites();
    for (let version = 0; version < 5_000; version++) writes.add(String(version));
    expect(writes.isForeign('a', '0')).toBe(true);
    expect(writes.isForeign('a', '4999')).toBe(false);
  });
});
