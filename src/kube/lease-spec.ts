import { microTime } from './micro-time.ts';

/** The spec of a coordination.k8s.io/v1 Lease. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface Holder {
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** Milliseconds since 1970; for people only. */
  readonly now: number;
}

/** The spec with which a holder takes or renews the lease that was `before`. */
export function leaseSpec(
  before: LeaseSpec | undefined,
  { identity, leaseDurationMs, now }: Holder,
): LeaseSpec {
  const same = before?.holderIdentity === identity;
  const transitions = before?.leaseTransitions ?? 0;
  return {
    ...before,
    holderIdentity: identity,
    leaseDurationSeconds: Math.max(1, Math.ceil(leaseDurationMs / 1_000)),
    acquireTime: (same ? before.acquireTime : undefined) ?? microTime(now),
    renewTime: microTime(now),
    leaseTransitions: same || before === undefined ? transitions : transitions + 1,
  };
}

/** The spec that tells others to take over at once. */
export function releasedSpec(before: LeaseSpec | undefined, now: number): LeaseSpec {
  return { ...before, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now) };
}

/**
 * Whether a lease of somebody else may be taken: it has no holder, or its content has not changed for as long as its holder promised.
 *
 * @param unchangedMs for how long we have seen it like this, by our own clock
 * @param defaultMs the duration for a lease that tells none
 */
export function isFree(spec: LeaseSpec | undefined, unchangedMs: number, defaultMs: number): boolean {
  if (spec?.holderIdentity === undefined || spec.holderIdentity === '') return true;
  const promisedMs = (spec.leaseDurationSeconds ?? 0) * 1_000;
  return unchangedMs >= (promisedMs > 0 ? promisedMs : defaultMs);
}
