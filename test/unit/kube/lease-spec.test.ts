import { describe, expect, it } from '@jest/globals';
import { createLeaderElector, type LeaderElectorOptions } from '../../../src/kube/index.ts';
import { isFree, leaseSpec, releasedSpec } from '../../../src/kube/lease-spec.ts';
import { createRecordingLogger } from './recording-logger.ts';

const holder = { identity: 'a', leaseDurationMs: 14_500, now: Date.parse('2026-11-21T05:06:07.089Z') };
const at = '2026-11-21T05:06:07.089000Z';

describe('lease spec', () => {
  it('of a new lease', () => {
    expect(leaseSpec(undefined, holder)).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: at,
      renewTime: at,
      leaseTransitions: 0,
    });
  });

  it('of a renewed one keeps when it was acquired; of one taken over counts', () => {
    const before = { holderIdentity: 'a', acquireTime: 'earlier', leaseTransitions: 3 };
    expect(leaseSpec(before, holder)).toMatchObject({
      acquireTime: 'earlier',
      renewTime: at,
      leaseTransitions: 3,
    });
    expect(leaseSpec({ ...before, holderIdentity: 'b' }, holder)).toMatchObject({
      holderIdentity: 'a',
      acquireTime: at,
      leaseTransitions: 4,
    });
    expect(releasedSpec(before, holder.now)).toMatchObject({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      leaseTransitions: 3,
    });
  });

  it.each([
    { spec: undefined, unchangedMs: 0, free: true },
    { spec: { holderIdentity: '' }, unchangedMs: 0, free: true },
    { spec: { holderIdentity: 'b', leaseDurationSeconds: 15 }, unchangedMs: 14_999, free: false },
    { spec: { holderIdentity: 'b', leaseDurationSeconds: 15 }, unchangedMs: 15_000, free: true },
    { spec: { holderIdentity: 'b' }, unchangedMs: 19_999, free: false },
    { spec: { holderIdentity: 'b', leaseDurationSeconds: 0 }, unchangedMs: 20_000, free: true },
    // Its wall clock says that it ran out long ago: that counts for nothing.
    {
      spec: { holderIdentity: 'b', leaseDurationSeconds: 15, renewTime: '1999-01-01T00:00:00.000000Z' },
      unchangedMs: 10,
      free: false,
    },
  ])('$spec unchanged for $unchangedMs ms is free: $free', ({ spec, unchangedMs, free }) => {
    expect(isFree(spec, unchangedMs, 20_000)).toBe(free);
  });
});

describe('durations with which two could lead, or none', () => {
  const never = () => Promise.reject(new Error('not called'));
  const options: LeaderElectorOptions = {
    client: { get: never, create: never, replace: never },
    namespace: 'default',
    leaseName: 'lease',
    identity: 'a',
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    onStartedLeading: () => undefined,
    logger: createRecordingLogger(),
  };

  it.each([
    [{ leaseDurationMs: 10_000 }, /leaseDuration must be longer/],
    [{ retryPeriodMs: 9_000 }, /renewDeadline must be longer/],
  ])('%o are refused', (change, message) => {
    expect(() => createLeaderElector({ ...options, ...change })).toThrow(message);
    expect(() => createLeaderElector(options)).not.toThrow();
  });
});
