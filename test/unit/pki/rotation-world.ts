import { trustedCertificates, type CaState } from '../../../src/pki/ca-state.ts';
import { BACKDATE_MS } from '../../../src/pki/issue-certificate.ts';
import { planRotation, type RotationPlan, type RotationTiming } from '../../../src/pki/plan-rotation.ts';

export interface RotationWorld {
  /** What must never happen and did. */
  readonly violations: readonly string[];
  /** How many CAs have signed so far. */
  promotions(): number;
  /** One replica wakes up after this time, carries out what is due and takes a new serving certificate. */
  tick(replica: number, afterMs: number, requestsRotation: boolean): void;
}

/**
 * Replicas that look at one stored state at any time they like, serve what its CA signed, and may then sleep until that has expired;
 * and a client that trusts the bundle of the moment.
 *
 * @param planned the times that planRotation is told, in case they are to be wrong
 */
export function createRotationWorld(
  start: number,
  timing: RotationTiming,
  planned: RotationTiming = timing,
): RotationWorld {
  const violations: string[] = [];
  const seen = Array.from({ length: 3 }, () => ({ cert: '', since: 0 }));
  const served: { readonly ca: string; readonly until: number }[] = [];
  const trustedSince = new Map<string, number>();
  let stored: CaState | undefined;
  let now = start;
  let made = 0;
  let promoted = 0;
  let requested: string | undefined;

  function plan(replica: number): RotationPlan | undefined {
    const sight = seen[replica] ?? { cert: '', since: 0 };
    const next = stored?.next;
    if (next !== undefined && sight.cert !== next.cert) Object.assign(sight, { cert: next.cert, since: now });
    const since = next === undefined ? undefined : sight.since;
    return planRotation(stored, now, planned, {
      requested,
      nextSeenSince: since,
      nextInCaBundleSince: since,
    });
  }

  function carryOut(step: RotationPlan): void {
    const times = { notBefore: now - BACKDATE_MS, notAfter: now + timing.caLifetimeMs };
    const newCa = { cert: `CA${made++}\n`, key: '', ...times };
    stored = step.needsCa ? step.withCa(newCa) : step.state;
    const current = stored.current?.cert ?? '';
    if (step.reason === 'promoted') {
      promoted++;
      if (now - (trustedSince.get(current) ?? now) < timing.trustDelayMs) {
        violations.push(`${current} signs, but was not trusted for long enough`);
      }
    }
    if (step.reason === 'current-unusable') violations.push('a CA expired while it was used');
  }

  function lookAsClient(): void {
    const trusted = new Set((stored === undefined ? '' : trustedCertificates(stored)).match(/.*\n/g));
    for (const { ca, until } of served) {
      if (until > now && !trusted.has(ca)) violations.push(`${ca} is still served, but not trusted`);
    }
    for (const ca of trusted) if (!trustedSince.has(ca)) trustedSince.set(ca, now);
  }

  return {
    violations,
    promotions: () => promoted,
    tick(replica, afterMs, requestsRotation) {
      now += afterMs;
      if (requestsRotation) requested = String(now);
      for (let step = plan(replica); step !== undefined; step = plan(replica)) {
        carryOut(step);
        lookAsClient();
      }
      const current = stored?.current;
      if (current === undefined) violations.push('nobody signs');
      else
        served.push({
          ca: current.cert,
          until: Math.min(now + timing.leafLifetimeMs, current.notAfter),
        });
      lookAsClient();
    },
  };
}
