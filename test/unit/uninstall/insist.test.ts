import { describe, expect, it } from '@jest/globals';
import { KubeApiError, KubeUnreachableError, type Clock } from '../../../src/kube/index.ts';
import { insist } from '../../../src/uninstall/insist.ts';
import { parseServiceAccount } from '../../../src/uninstall/own-rights.ts';

/** Time that passes only by waiting for it. */
function createClock(): { readonly clock: Clock; readonly waits: number[] } {
  const waits: number[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (delayMs, callback) => {
      waits.push(delayMs);
      queueMicrotask(callback);
      return () => undefined;
    },
  };
  return { clock, waits };
}

describe('insist', () => {
  const signal = new AbortController().signal;
  const failing = (error: Error, times: number) => {
    let calls = 0;
    return () => (++calls <= times ? Promise.reject(error) : Promise.resolve(calls));
  };

  it.each([
    ['no answer', new KubeUnreachableError('down')],
    ['an overloaded API server', new KubeApiError('', 500, 'InternalError')],
    ['too many requests', new KubeApiError('', 429, 'TooManyRequests')],
  ])('repeats after %s, ever later', async (_name, error) => {
    const { clock, waits } = createClock();
    expect(await insist({ clock, signal }, failing(error, 3))).toBe(4);
    expect(waits).toEqual([200, 400, 800]);
  });

  it('waits as long as the API server asks', async () => {
    const { clock, waits } = createClock();
    await insist({ clock, signal }, failing(new KubeApiError('', 429, 'TooManyRequests', 7), 1));
    expect(waits).toEqual([7_000]);
  });

  it('ends at some time, and when nobody waits any more', async () => {
    const error = new KubeUnreachableError('down');
    const { clock, waits } = createClock();
    await expect(insist({ clock, signal }, failing(error, 100))).rejects.toBe(error);
    expect(waits).toHaveLength(5);
    await expect(insist({ clock, signal: AbortSignal.abort() }, failing(error, 100))).rejects.toBe(error);
    expect(waits).toHaveLength(5);
  });

  it('repeats nothing that was refused', async () => {
    const { clock, waits } = createClock();
    const error = new KubeApiError('', 403, 'Forbidden');
    await expect(insist({ clock, signal }, failing(error, 1))).rejects.toBe(error);
    expect(waits).toEqual([]);
  });
});

it.each([
  [
    'system:serviceaccount:krake-system:krake-hooks-controller',
    { namespace: 'krake-system', name: 'krake-hooks-controller' },
  ],
  ['kubernetes-admin', undefined],
  ['system:serviceaccount:krake-system', undefined],
  ['system:serviceaccount::x', undefined],
  ['', undefined],
])('of %j the service account is %j', (username, expected) => {
  expect(parseServiceAccount(username)).toEqual(expected);
});
