import { describe, expect, it } from '@jest/globals';
import type { KubeObject } from '../../../src/kube/index.ts';
import { createProjectionStore, keyOf } from '../../../src/kube/projection-store.ts';

const object = (name: string, value?: string): KubeObject => ({
  metadata: { namespace: 'shop', name, ...(value === undefined ? {} : { labels: { value } }) },
});

function setUp(project?: (object: KubeObject) => { value: string } | undefined) {
  const changes: unknown[] = [];
  const errors: string[] = [];
  const store = createProjectionStore<{ value: string }>({
    project:
      project ??
      (({ metadata: { labels } }) => (labels?.value === undefined ? undefined : { value: labels.value })),
    onChange: (key, before, after) => {
      changes.push([key, before?.value, after?.value]);
      if (after?.value === 'throws') throw new Error('handler');
    },
    onHandlerError: (key) => errors.push(key),
  });
  return { store, changes, errors };
}

describe('projection store', () => {
  it('tells each change of a projection once', () => {
    const { store, changes } = setUp();
    expect(store.put(object('a', '1'))).toBe('shop/a');
    store.put(object('a', '1'));
    store.put(object('a', '2'));
    store.put(object('ignored'));
    store.put(object('a'));
    store.put(object('a', '3'));
    store.remove(object('a'));
    store.remove(object('a'));
    expect(changes).toEqual([
      ['shop/a', undefined, '1'],
      ['shop/a', '1', '2'],
      ['shop/a', '2', undefined],
      ['shop/a', undefined, '3'],
      ['shop/a', '3', undefined],
    ]);
    expect(store.entries.size).toBe(0);
  });

  it('takes out what a whole list did not show', () => {
    const { store, changes } = setUp();
    for (const name of ['a', 'b', 'c']) store.put(object(name, '1'));
    changes.length = 0;
    store.keepOnly(new Set(['shop/b']));
    expect(changes).toEqual([
      ['shop/a', '1', undefined],
      ['shop/c', '1', undefined],
    ]);
    expect([...store.entries.keys()]).toEqual(['shop/b']);
  });

  it('outlives a throwing onChange: the store has changed, the error is reported', () => {
    const { store, errors } = setUp();
    store.put(object('a', 'throws'));
    expect(errors).toEqual(['shop/a']);
    expect(store.entries.get('shop/a')).toEqual({ value: 'throws' });
  });

  it('keeps what it knew of an object whose projection throws: it is there, so it must not look deleted', () => {
    let broken = false;
    const { store, changes, errors } = setUp(() => {
      if (broken) throw new Error('project');
      return { value: '1' };
    });
    store.put(object('a'));
    broken = true;
    store.keepOnly(new Set([store.put(object('a'))]));
    expect(errors).toEqual(['shop/a']);
    expect(changes).toHaveLength(1);
    expect(store.entries.get('shop/a')).toEqual({ value: '1' });
  });

  it('has the key namespace/name, or the name alone', () => {
    expect(keyOf(object('a'))).toBe('shop/a');
    expect(keyOf({ metadata: { name: 'node-1' } })).toBe('node-1');
  });
});
