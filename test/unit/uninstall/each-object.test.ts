import { describe, expect, it } from '@jest/globals';
import { KubeApiError, systemClock, type ObjectList, type WatchClient } from '../../../src/kube/index.ts';
import { eachObject } from '../../../src/uninstall/each-object.ts';
import { forEachBounded } from '../../../src/uninstall/for-each-bounded.ts';

const PODS = { apiVersion: 'v1', plural: 'pods' };

/** Pages by their `continue`; an error in place of a page is thrown once. */
async function read(
  pages: Readonly<Record<string, readonly (Error | readonly string[])[]>>,
): Promise<string[]> {
  const asked: Record<string, number> = {};
  const client: Pick<WatchClient, 'list'> = {
    list: (_resource, _namespace, options = {}) => {
      const token = options.continue ?? 'first';
      const answers = pages[token] ?? [];
      const answer = answers[Math.min((asked[token] = (asked[token] ?? 0) + 1), answers.length) - 1];
      if (answer === undefined || answer instanceof Error)
        return Promise.reject(answer ?? new Error(`no page ${token}`));
      const names = answer.filter((name) => !name.startsWith('→'));
      const next = answer.find((name) => name.startsWith('→'))?.slice(1);
      const list = { items: names.map((name) => ({ metadata: { name } })), resourceVersion: '1' };
      return Promise.resolve({
        ...list,
        ...(next === undefined ? {} : { continue: next }),
      } as unknown as ObjectList<never>);
    },
  };
  const found: string[] = [];
  const deps = { client, clock: systemClock, signal: new AbortController().signal };
  for await (const { metadata } of eachObject(deps, PODS)) found.push(metadata.name ?? '');
  return found;
}

describe('eachObject', () => {
  it('goes through all pages', async () => {
    expect(await read({ first: [['a', 'b', '→2']], 2: [['c', '→3']], 3: [['d']] })).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('begins anew when the list has become too old', async () => {
    const expired = new KubeApiError('', 410, 'Expired');
    expect(await read({ first: [['a', '→2']], 2: [expired, ['b']] })).toEqual(['a', 'a', 'b']);
    await expect(read({ first: [['a', '→2']], 2: [expired] })).rejects.toBe(expired);
  });

  it('finds nothing of a kind that is not there', async () => {
    expect(await read({ first: [new KubeApiError('', 404, 'NotFound')] })).toEqual([]);
  });

  it('tells of what it may not read', async () => {
    const forbidden = new KubeApiError('', 403, 'Forbidden');
    await expect(read({ first: [forbidden] })).rejects.toBe(forbidden);
  });
});

describe('forEachBounded', () => {
  async function* numbers(count: number, onTaken: (n: number) => void = () => undefined) {
    for (let n = 0; n < count; n++) {
      onTaken(n);
      yield await Promise.resolve(n);
    }
  }

  it('works on so many at once and on all in the end', async () => {
    let underWay = 0;
    let most = 0;
    const done: number[] = [];
    await forEachBounded(numbers(50), 4, async (n) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      done.push(n);
    });
    expect(most).toBe(4);
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('takes no more after a failure, waits for what is under way, and throws it', async () => {
    let taken = 0;
    let ended = 0;
    const work = async (n: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      ended += 1;
      if (n === 3) throw new Error('no');
    };
    await expect(
      forEachBounded(
        numbers(1_000, (n) => (taken = n + 1)),
        4,
        work,
      ),
    ).rejects.toThrow('no');
    expect(taken).toBeLessThan(20);
    expect(ended).toBeGreaterThanOrEqual(4);
  });
});
