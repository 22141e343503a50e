import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CaState } from '../../../src/pki/ca-state.ts';
import type { CertificateWithKey } from '../../../src/pki/certificate.ts';
import { BACKDATE_MS } from '../../../src/pki/issue-certificate.ts';
import {
  CA_BUNDLE_SETTLE_MS,
  MAX_PREVIOUS,
  planRotation,
  retirementMarginMs,
  type RotationPlan,
  type RotationSight,
} from '../../../src/pki/plan-rotation.ts';
import { createRotationWorld } from './rotation-world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const timing = { caLifetimeMs: 30 * DAY, leafLifetimeMs: DAY, trustDelayMs: 5 * MINUTE };
const T0 = Date.UTC(2030, 0, 1);

function ca(name: string, issuedAt = T0, lifetimeMs = timing.caLifetimeMs): CertificateWithKey {
  return {
    cert: `${name}\n`,
    key: `key of ${name}`,
    notBefore: issuedAt - BACKDATE_MS,
    notAfter: issuedAt + lifetimeMs,
  };
}

function state(part: Partial<CaState>): CaState {
  return { current: undefined, next: undefined, previous: [], handledRequest: undefined, ...part };
}

function apply(plan: RotationPlan | undefined, newCa: CertificateWithKey): CaState | undefined {
  if (plan === undefined) return undefined;
  return plan.needsCa ? plan.withCa(newCa) : plan.state;
}

const A = ca('A');
const B = ca('B', T0 + 20 * DAY);
const N = ca('N', T0 + 21 * DAY);
const staged = { ...B, trustedSince: T0 + 20 * DAY };
const trusted: RotationSight = { nextSeenSince: T0 + 20 * DAY, nextInCaBundleSince: T0 + 20 * DAY };
const due = T0 + 20 * DAY;
const retiredA = { cert: A.cert, notBefore: A.notBefore, notAfter: A.notAfter };

const cases: {
  name: string;
  state: CaState | undefined;
  now: number;
  sight?: RotationSight;
  reason: RotationPlan['reason'] | undefined;
  then?: CaState;
}[] = [
  {
    name: 'nothing there: a CA is made',
    state: undefined,
    now: T0,
    reason: 'created',
    then: state({ current: N }),
  },
  {
    name: 'a request that is older than the CA counts as handled',
    state: undefined,
    now: T0,
    sight: { requested: 'x' },
    reason: 'created',
    then: state({ current: N, handledRequest: 'x' }),
  },
  { name: 'young: nothing', state: state({ current: A }), now: T0 + 19 * DAY, reason: undefined },
  { name: 'just before two thirds: nothing', state: state({ current: A }), now: due - 1, reason: undefined },
  {
    name: 'two thirds over: next',
    state: state({ current: A }),
    now: due,
    reason: 'due',
    then: state({ current: A, next: { ...N, trustedSince: due } }),
  },
  {
    name: 'the configured life has become shorter: due earlier',
    state: state({ current: ca('L', T0, 300 * DAY) }),
    now: due,
    reason: 'due',
  },
  {
    name: 'requested: next',
    state: state({ current: A }),
    now: T0 + DAY,
    sight: { requested: 'x' },
    reason: 'requested',
    then: state({ current: A, next: { ...N, trustedSince: T0 + DAY }, handledRequest: 'x' }),
  },
  {
    name: 'requested and handled: nothing',
    state: state({ current: A, handledRequest: 'x' }),
    now: T0 + DAY,
    sight: { requested: 'x' },
    reason: undefined,
  },
  {
    name: 'requested again: next',
    state: state({ current: A, handledRequest: 'x' }),
    now: T0 + DAY,
    sight: { requested: 'y' },
    reason: 'requested',
  },
  {
    name: 'requested during a rotation: waits for its end',
    state: state({ current: A, next: staged }),
    now: due + MINUTE,
    sight: { ...trusted, requested: 'y' },
    reason: undefined,
  },
  {
    name: 'requested too often: waits',
    state: state({
      current: B,
      previous: Array.from({ length: MAX_PREVIOUS }, () => ({ ...retiredA, trustUntil: due + DAY })),
    }),
    now: due,
    sight: { requested: 'y' },
    reason: undefined,
  },
  {
    name: 'trust delay not over: nothing',
    state: state({ current: A, next: staged }),
    now: due + 5 * MINUTE - 1,
    sight: trusted,
    reason: undefined,
  },
  {
    name: 'trust delay over: next signs, the old one stays trusted',
    state: state({ current: A, next: staged, handledRequest: 'x' }),
    now: due + 5 * MINUTE,
    sight: trusted,
    reason: 'promoted',
    then: state({
      current: B,
      previous: [
        { ...retiredA, trustUntil: due + 5 * MINUTE + timing.leafLifetimeMs + retirementMarginMs(timing) },
      ],
      handledRequest: 'x',
    }),
  },
  {
    name: 'this replica has not seen next for long enough',
    state: state({ current: A, next: staged }),
    now: due + HOUR,
    sight: { ...trusted, nextSeenSince: due + HOUR - 5 * MINUTE + 1 },
    reason: undefined,
  },
  {
    name: 'the webhook configuration does not trust next',
    state: state({ current: A, next: staged }),
    now: due + HOUR,
    sight: { nextSeenSince: due },
    reason: undefined,
  },
  {
    name: 'the webhook configuration trusts next since a moment ago',
    state: state({ current: A, next: staged }),
    now: due + HOUR,
    sight: { nextSeenSince: due, nextInCaBundleSince: due + HOUR - CA_BUNDLE_SETTLE_MS + 1 },
    reason: undefined,
  },
  {
    name: 'old CA still trusted: nothing',
    state: state({ current: B, previous: [{ ...retiredA, trustUntil: due + DAY }] }),
    now: due + DAY - 1,
    reason: undefined,
  },
  {
    name: 'old CA: trust over',
    state: state({ current: B, previous: [{ ...retiredA, trustUntil: due + DAY }] }),
    now: due + DAY,
    reason: 'trust-ended',
    then: state({ current: B }),
  },
  {
    name: 'old CA expired: dropped before its time',
    state: state({ current: B, previous: [{ ...retiredA, trustUntil: A.notAfter + DAY }] }),
    now: A.notAfter,
    reason: 'trust-ended',
  },
  {
    name: 'current expired, nobody staged: replaced at once',
    state: state({ current: A }),
    now: A.notAfter,
    reason: 'current-unusable',
    then: state({ current: N }),
  },
  {
    name: 'current expired, next there: it signs at once, trusted or not',
    state: state({ current: A, next: staged }),
    now: A.notAfter,
    reason: 'current-unusable',
    then: state({ current: B }),
  },
  {
    name: 'current damaged, nothing remembered: replaced at once',
    state: state({}),
    now: T0,
    sight: { damaged: true },
    reason: 'current-unusable',
    then: state({ current: N }),
  },
  {
    name: 'Secret deleted, remembered: put back, and rotated',
    state: undefined,
    now: T0,
    sight: { remembered: state({ current: A, handledRequest: 'x' }) },
    reason: 'restored',
    then: state({ current: A, next: { ...N, trustedSince: T0 }, handledRequest: 'x' }),
  },
  {
    name: 'Secret deleted during a rotation: put back as it was',
    state: undefined,
    now: due,
    sight: { remembered: state({ current: A, next: staged }) },
    reason: 'restored',
    then: state({ current: A, next: staged }),
  },
  {
    name: 'current damaged, remembered one expired: not put back',
    state: state({}),
    now: A.notAfter,
    sight: { remembered: state({ current: A }) },
    reason: 'current-unusable',
    then: state({ current: N }),
  },
  {
    name: 'another part damaged, same CA remembered: put back',
    state: state({ current: A }),
    now: due,
    sight: { damaged: true, remembered: state({ current: A, next: staged }) },
    reason: 'repaired',
    then: state({ current: A, next: staged }),
  },
  {
    name: 'another part damaged, another CA remembered: left out',
    state: state({ current: B }),
    now: due,
    sight: { damaged: true, remembered: state({ current: A, next: staged }) },
    reason: 'repaired',
    then: state({ current: B }),
  },
  {
    name: 'next expired: another one',
    state: state({ current: A, next: { ...ca('X', T0, DAY), trustedSince: T0 } }),
    now: T0 + DAY,
    reason: 'next-unusable',
    then: state({ current: A, next: { ...N, trustedSince: T0 + DAY } }),
  },
];

describe('planRotation', () => {
  it.each(cases)('$name', ({ state: before, now, sight, reason, then }) => {
    const plan = planRotation(before, now, timing, sight);
    expect(plan?.reason).toBe(reason);
    if (then !== undefined) expect(apply(plan, N)).toEqual(then);
  });

  it('keeps every CA trusted before it signs and as long as what it signed is valid, whoever does the steps', () => {
    const tick = fc.record({
      replica: fc.nat(2),
      afterMs: fc.integer({ min: 1, max: 6 * HOUR }),
      request: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(tick, { minLength: 50, maxLength: 400 }), (ticks) => {
        const world = createRotationWorld(T0, timing);
        for (const { replica, afterMs, request } of ticks) world.tick(replica, afterMs, request);
        expect(world.violations).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('notices a CA that is dropped too early (the property above can fail)', () => {
    const world = createRotationWorld(T0, timing, { ...timing, leafLifetimeMs: -DAY });
    for (let i = 0; i < 200; i++) world.tick(0, 3 * HOUR, i % 20 === 0);
    expect(world.promotions()).toBeGreaterThan(5);
    expect(world.violations).not.toEqual([]);
  });
});
