import { describe, expect, it } from '@jest/globals';
import { createPodMembership } from '../../../src/callbacks/index.ts';
import type { KubeClient } from '../../../src/kube/index.ts';
import { createManualClock } from '../kube/manual-clock.ts';

const POD = { namespace: 'shop', name: 'web-0', uid: 'p0', credentialId: undefined };

function setUp() {
  const clock = createManualClock();
  const answer: { is: unknown } = { is: undefined };
  let asked = 0;
  const get = async () => {
    asked++;
    await Promise.resolve();
    if (answer.is instanceof Error) throw answer.is;
    return answer.is;
  };
  const membership = createPodMembership({ get: get as unknown as KubeClient['get'] }, clock, {
    ttlMs: 10_000,
  });
  return { clock, answer, asked: () => asked, read: (uid = 'p0') => membership.read({ ...POD, uid }) };
}

describe('createPodMembership', () => {
  it.each([
    ['no pod of this name', undefined],
    ['another one of this name', { metadata: { name: 'web-0', uid: 'p1' } }],
  ])('%s: gone, asked once in a while', async (_what, pod) => {
    const { answer, asked, read, clock } = setUp();
    answer.is = pod;
    for (let i = 0; i < 20; i++) expect(await read()).toEqual({ kind: 'gone' });
    expect(asked()).toBe(1);
    await clock.advance(10_000);
    await read();
    expect(asked()).toBe(2);
  });

  it('a pod that has the name of a gone one is read', async () => {
    const { answer, read } = setUp();
    await read('before');
    answer.is = { metadata: { name: 'web-0', uid: 'p0' } };
    expect(await read()).toMatchObject({ kind: 'read', belonging: { lineage: ['p0'] } });
    expect(await read('before')).toEqual({ kind: 'gone' });
  });

  it('does not remember that nobody answered', async () => {
    const { answer, read } = setUp();
    answer.is = new Error('away');
    expect(await read()).toMatchObject({ kind: 'unavailable' });
    answer.is = { metadata: { name: 'web-0', uid: 'p0' } };
    expect(await read()).toMatchObject({ kind: 'read' });
  });
});
