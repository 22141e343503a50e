import { mkdtempSync, openSync, readFileSync, rmSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { createLineWriter } from '../../../src/observability/line-writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-lines-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('createLineWriter', () => {
  it('writes every line, in order, in the next turn of the event loop', async () => {
    const file = join(directory, 'log');
    const fd = openSync(file, 'w');
    const writer = createLineWriter(fd);
    const lines = Array.from({ length: 5_000 }, (_, i) => `{"line":${i},"text":"grüße"}\n`);
    for (const line of lines) writer.write(line);
    expect(readFileSync(file, 'utf8')).toBe('');
    await nextTurn();
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
    writer.write('one more\n');
    await nextTurn();
    expect(readFileSync(file, 'utf8')).toBe(`${lines.join('')}one more\n`);
    closeSync(fd);
  });
});
