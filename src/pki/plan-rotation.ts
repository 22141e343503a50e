import type { CaState, StagedCa } from './ca-state.ts';
import type { CertificateWithKey } from './certificate.ts';
import { BACKDATE_MS } from './issue-certificate.ts';

export interface RotationTiming {
  readonly caLifetimeMs: number;
  readonly leafLifetimeMs: number;
  /** How long a new CA is trusted before it signs. */
  readonly trustDelayMs: number;
}

/** What this replica has seen beyond the Secret; times in milliseconds since the epoch. */
export interface RotationSight<C extends CertificateWithKey = CertificateWithKey> {
  /** The last good state that this replica held, in case the Secret was deleted or damaged. */
  readonly remembered?: CaState<C> | undefined;
  /** Parts of the Secret could not be read. */
  readonly damaged?: boolean;
  /** The rotation that is asked for on the Secret. */
  readonly requested?: string | undefined;
  /** Since when this replica knows of `next`; undefined: it has not seen it before. */
  readonly nextSeenSince?: number | undefined;
  /** Since when this replica sees `next` where it is to be trusted (the live webhook configuration); undefined: it is not there. */
  readonly nextInCaBundleSince?: number | undefined;
}

export type RotationReason =
  | 'created'
  | 'restored'
  | 'repaired'
  | 'current-unusable'
  | 'next-unusable'
  | 'trust-ended'
  | 'promoted'
  | 'due'
  | 'requested';

/** One step: the state to write, at once or once a new CA has been issued. */
export type RotationPlan<C extends CertificateWithKey = CertificateWithKey> =
  | { readonly reason: RotationReason; readonly needsCa: false; readonly state: CaState<C> }
  | {
      readonly reason: RotationReason;
      readonly needsCa: true;
      readonly withCa: (ca: C) => CaState<C>;
    };

interface Situation<C extends CertificateWithKey> {
  readonly state: CaState<C>;
  readonly now: number;
  readonly timing: RotationTiming;
  readonly sight: RotationSight<C>;
}

/** Time from this being written to the last API server having read it; only the webhook configuration's own watch is in between. */
export const CA_BUNDLE_SETTLE_MS = 10_000;

/** Requested rotations wait while so many old CAs are trusted, so that nobody can swell the bundles by asking often. */
export const MAX_PREVIOUS = 8;

const EMPTY = { current: undefined, next: undefined, previous: [], handledRequest: undefined } as const;

/**
 * The next step of the CA's life, or undefined when nothing is to do. Pure; one small step at a time, each safe to repeat and to be
 * carried out by any replica. The first check that has a step wins:
 *
 * 1. no CA that can sign (none, damaged, expired): what this replica remembers is restored, else `next` signs at once, else a new
 *    CA does (`created`, `current-unusable`): there is nothing left to be trusted beforehand;
 * 2. other parts are damaged: they are restored from memory, or left out;
 * 3. `next` expired: a new one takes its place;
 * 4. a previous CA's time is over: it is dropped;
 * 5. `next` trusted for long enough: it signs, and the old one stays trusted until all it signed has expired;
 * 6. two thirds of the CA's life are over, or a rotation is requested: a new CA becomes `next`.
 *
 * @param state what the Secret says; undefined: there is no Secret
 */
export function planRotation<C extends CertificateWithKey>(
  state: CaState<C> | undefined,
  now: number,
  timing: RotationTiming,
  sight: RotationSight<C> = {},
): RotationPlan<C> | undefined {
  const situation = { state: state ?? EMPTY, now, timing, sight };
  return (
    replaceCurrent(situation, state === undefined) ??
    repair(situation) ??
    replaceNext(situation) ??
    dropPrevious(situation) ??
    promote(situation) ??
    stage(situation)
  );
}

/** Extra trust for an old CA, for replicas whose clocks differ. */
export function retirementMarginMs(timing: RotationTiming): number {
  return Math.min(BACKDATE_MS, timing.leafLifetimeMs / 4);
}

function replaceCurrent<C extends CertificateWithKey>(
  { state, now, sight }: Situation<C>,
  isNew: boolean,
): RotationPlan<C> | undefined {
  if (isUsable(state.current, now)) return undefined;
  const { remembered } = sight;
  if (remembered !== undefined && isUsable(remembered.current, now)) return restore(remembered, now);
  if (isUsable(state.next, now)) {
    const current = withoutTrustedSince(state.next);
    return { reason: 'current-unusable', needsCa: false, state: { ...state, current, next: undefined } };
  }
  return {
    reason: isNew ? 'created' : 'current-unusable',
    needsCa: true,
    withCa: (current) => ({ ...state, current, next: undefined, handledRequest: sight.requested }),
  };
}

/**
 * The Secret is gone or damaged, but what was served yesterday is still served: it goes back, and a rotation begins, since whoever
 * deleted the Secret meant to get a new CA.
 */
function restore<C extends CertificateWithKey>(remembered: CaState<C>, now: number): RotationPlan<C> {
  if (isUsable(remembered.next, now)) return { reason: 'restored', needsCa: false, state: remembered };
  return {
    reason: 'restored',
    needsCa: true,
    withCa: (ca) => ({ ...remembered, next: { ...ca, trustedSince: now } }),
  };
}

function repair<C extends CertificateWithKey>({ state, sight }: Situation<C>): RotationPlan<C> | undefined {
  if (sight.damaged !== true) return undefined;
  const { remembered } = sight;
  const isSame = remembered?.current !== undefined && remembered.current.cert === state.current?.cert;
  return { reason: 'repaired', needsCa: false, state: isSame ? remembered : state };
}

function replaceNext<C extends CertificateWithKey>({
  state,
  now,
}: Situation<C>): RotationPlan<C> | undefined {
  if (state.next === undefined || isUsable(state.next, now)) return undefined;
  return {
    reason: 'next-unusable',
    needsCa: true,
    withCa: (ca) => ({ ...state, next: { ...ca, trustedSince: now } }),
  };
}

function dropPrevious<C extends CertificateWithKey>({
  state,
  now,
}: Situation<C>): RotationPlan<C> | undefined {
  const previous = state.previous.filter((ca) => ca.trustUntil > now && ca.notAfter > now);
  if (previous.length === state.previous.length) return undefined;
  return { reason: 'trust-ended', needsCa: false, state: { ...state, previous } };
}

function promote<C extends CertificateWithKey>({
  state,
  now,
  timing,
  sight,
}: Situation<C>): RotationPlan<C> | undefined {
  const { current, next } = state;
  if (current === undefined || next === undefined || !isTrustedLongEnough(next, now, timing, sight)) {
    return undefined;
  }
  const retired = {
    cert: current.cert,
    notBefore: current.notBefore,
    notAfter: current.notAfter,
    trustUntil: now + timing.leafLifetimeMs + retirementMarginMs(timing),
  };
  return {
    reason: 'promoted',
    needsCa: false,
    state: {
      ...state,
      current: withoutTrustedSince(next),
      next: undefined,
      previous: [retired, ...state.previous],
    },
  };
}

/** By the Secret's time and by what this replica saw itself, so that neither a wrong clock elsewhere nor a pause of all replicas shortens it. */
function isTrustedLongEnough(
  next: StagedCa,
  now: number,
  timing: RotationTiming,
  sight: Pick<RotationSight, 'nextSeenSince' | 'nextInCaBundleSince'>,
): boolean {
  if (sight.nextSeenSince === undefined || sight.nextInCaBundleSince === undefined) return false;
  const since = Math.max(next.trustedSince, sight.nextSeenSince);
  const settledMs = Math.min(timing.trustDelayMs, CA_BUNDLE_SETTLE_MS);
  return now >= since + timing.trustDelayMs && now >= sight.nextInCaBundleSince + settledMs;
}

function stage<C extends CertificateWithKey>({
  state,
  now,
  timing,
  sight,
}: Situation<C>): RotationPlan<C> | undefined {
  if (state.current === undefined || state.next !== undefined) return undefined;
  const requested = sight.requested !== undefined && sight.requested !== state.handledRequest;
  const due = now >= rotationTime(state.current, timing);
  if (!due && !(requested && state.previous.length < MAX_PREVIOUS)) return undefined;
  return {
    reason: due ? 'due' : 'requested',
    needsCa: true,
    withCa: (ca) => ({
      ...state,
      next: { ...ca, trustedSince: now },
      handledRequest: sight.requested ?? state.handledRequest,
    }),
  };
}

function withoutTrustedSince<C extends CertificateWithKey>(staged: StagedCa<C>): C {
  const ca: C & { trustedSince?: number } = { ...staged };
  delete ca.trustedSince;
  return ca;
}

/** Two thirds of its life, or of the configured one if that has become shorter. */
function rotationTime(current: CertificateWithKey, timing: RotationTiming): number {
  const issuedAt = current.notBefore + BACKDATE_MS;
  return issuedAt + (2 / 3) * Math.min(current.notAfter - issuedAt, timing.caLifetimeMs);
}

function isUsable<T extends { readonly notAfter: number }>(ca: T | undefined, now: number): ca is T {
  return ca !== undefined && now < ca.notAfter;
}
