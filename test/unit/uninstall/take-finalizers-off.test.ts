import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import jsonPatch, { type Operation } from 'fast-json-patch';
import { KubeApiError, systemClock, type KubeClient, type ObjectMeta } from '../../../src/kube/index.ts';
import { isOurFinalizer } from '../../../src/uninstall/held-objects.ts';
import { buildRemoval, takeFinalizersOff } from '../../../src/uninstall/take-finalizers-off.ts';

const OURS = ['hooks.krake.dev/shutdown', 'hooks.krake.dev/uninstall'];
const finalizer = fc.constantFrom(
  ...OURS,
  'kubernetes',
  'a.example/b',
  'hooks.krake.dev.evil/x',
  'xhooks.krake.dev/x',
);

describe('buildRemoval', () => {
  it('removes ours and leaves all others in their order', () => {
    fc.assert(
      fc.property(fc.array(finalizer, { maxLength: 8 }), (finalizers) => {
        const metadata = { uid: 'u', finalizers };
        const patch = buildRemoval(metadata, isOurFinalizer);
        const others = finalizers.filter((name) => !OURS.includes(name));
        if (patch === undefined) {
          expect(others).toEqual(finalizers);
          return;
        }
        const { newDocument } = jsonPatch.applyPatch({ metadata }, patch as Operation[], true, false);
        expect(newDocument.metadata.finalizers).toEqual(others);
      }),
    );
  });

  it.each<[string, ObjectMeta]>([
    ['another object of that name', { uid: 'other', finalizers: ['a/b', OURS[0] ?? ''] }],
    ['finalizers that have moved', { uid: 'u', finalizers: [OURS[0] ?? '', 'a/b'] }],
    ['a finalizer that is gone', { uid: 'u', finalizers: ['a/b'] }],
  ])('does nothing to %s', (_name, metadata) => {
    const patch = buildRemoval({ uid: 'u', finalizers: ['a/b', OURS[0] ?? ''] }, isOurFinalizer);
    expect(() => jsonPatch.applyPatch({ metadata }, patch as Operation[], true, false)).toThrow();
  });
});

describe('takeFinalizersOff', () => {
  const ref = { resource: { apiVersion: 'apps/v1', plural: 'deployments' }, namespace: 'shop', name: 'web' };
  const held = { uid: 'u', finalizers: OURS.slice(0, 1) };
  const changed = new KubeApiError('the test failed', 422, 'Invalid');

  /** Answers the patches with these outcomes in turn, the reads with this object. */
  function setting(outcomes: readonly (Error | 'ok')[], live: ObjectMeta | undefined) {
    const left = [...outcomes];
    const patches: unknown[] = [];
    const client: Pick<KubeClient, 'get' | 'patch'> = {
      get: () => Promise.resolve(live === undefined ? undefined : ({ metadata: live } as never)),
      patch: (_ref, { body }) => {
        patches.push(body);
        const outcome = left.shift();
        return outcome === 'ok'
          ? Promise.resolve({} as never)
          : Promise.reject(outcome ?? new Error('one too many'));
      },
    };
    const deps = { client, clock: systemClock, signal: new AbortController().signal };
    const run = (known: ObjectMeta = held) => takeFinalizersOff(deps, ref, known, isOurFinalizer);
    return { patches, run };
  }

  it('asks for nothing where nothing of ours is', async () => {
    const { run, patches } = setting([], undefined);
    expect(await run({ uid: 'u', finalizers: ['a/b'] })).toBe('none');
    expect(patches).toEqual([]);
  });

  it.each<[string, readonly (Error | 'ok')[], ObjectMeta | undefined, string]>([
    ['is taken at once', ['ok'], undefined, 'taken'],
    [
      'is read again when it has changed',
      [changed, 'ok'],
      { uid: 'u', finalizers: ['a/b', ...OURS] },
      'taken',
    ],
    ['is let go by somebody else', [changed], { uid: 'u', finalizers: ['a/b'] }, 'none'],
    ['is gone', [new KubeApiError('', 404, 'NotFound')], undefined, 'gone'],
    ['is gone when it is read again', [changed], undefined, 'gone'],
    ['has a namesake by now', [changed], { uid: 'other', finalizers: OURS }, 'gone'],
  ])('%s', async (_name, outcomes, live, expected) => {
    expect(await setting(outcomes, live).run()).toBe(expected);
  });

  it('gives up on what somebody refuses, with the refusal', async () => {
    const refusal = new KubeApiError('denied the request', 403, 'Forbidden');
    await expect(setting([refusal], held).run()).rejects.toBe(refusal);
    await expect(setting(Array<Error>(5).fill(changed), held).run()).rejects.toBe(changed);
  });
});
