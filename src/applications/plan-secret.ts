import type { Step } from './application-view.ts';
import { nextStatus, statusStep, timestamp } from './next-status.ts';
import { planCertificate } from './plan-certificate.ts';
import { planAgedToken } from './plan-rotation.ts';
import {
  issueForNewLife,
  issueForRepair,
  issueForSwitch,
  NO_CREDENTIALS,
  planRetirement,
  refuseForeignSecret,
  wasReady,
} from './plan-token.ts';
import { hooksEnabled, secretRepaired, secretUpdated, tokenRevoked } from './planned-events.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

/** Token, certificate, their hashes and the Secret belong together; whatever was changed by hand is made good. */
export function planSecret(s: Situation): Step | undefined {
  const { status, live } = s;
  if (live.secret.state === 'foreign') return refuseForeignSecret(s);
  // Deleted by somebody else and only held by us: it goes, and is made anew.
  if (live.secret.state === 'ours' && live.secret.deleting && live.secret.held)
    return { do: 'release-secret', secret: live.secret };
  const isScaledDown = status.finishedAt !== undefined && s.asking.every(({ idle }) => idle);
  if (isScaledDown) return planRetirement(s);
  if (!hasBegun(s)) {
    if (s.asking.every(({ deleting }) => deleting)) return undefined;
    return issueForNewLife(s, 'first', [hooksEnabled(s.app.metadata.name, s.hooks, refsOf(s.asking))]);
  }
  return s.app.spec.auth === 'token' ? planTokenSecret(s) : planBareSecret(s);
}

/** What it was given holds: the token is known, or, with a pod identity or on the way from one, signals may be stored. */
function hasBegun({ status }: Situation): boolean {
  return status.tokenSha256 !== undefined || status.signals !== undefined;
}

function planTokenSecret(s: Situation): Step | undefined {
  const { status, live } = s;
  const { name } = s.app.metadata;
  const refs = refsOf(s.asking);
  if (status.tokenSha256 === undefined) {
    if (s.asking.every(({ deleting }) => deleting)) return undefined;
    return issueForSwitch(s, [hooksEnabled(name, s.hooks, refs)]);
  }
  if (live.secret.state !== 'ours' || live.secret.tokenSha256 !== status.tokenSha256) {
    // A crash between the hash and the Secret is nothing that a person has to hear of.
    return issueForRepair(s, wasReady(s) ? [secretRepaired(name, s.podCount, refs)] : []);
  }
  const stale = planAgedToken(s) ?? planCertificate(s);
  if (stale !== undefined) return stale;
  return live.secret.inOrder ? undefined : { do: 'write-secret', events: [secretUpdated(name)] };
}

/** The CA bundle alone. What there was of token and certificate is void first, and then taken out. */
function planBareSecret(s: Situation): Step | undefined {
  const { status, live } = s;
  const { name } = s.app.metadata;
  if (
    status.tokenSha256 !== undefined ||
    status.certificates !== undefined ||
    status.formerTokens !== undefined
  ) {
    const renewed = s.podCount > 0 ? { tokenRenewedAt: timestamp(s.now) } : {};
    const next = nextStatus(s, { ...NO_CREDENTIALS, ...renewed });
    const why = 'its pods prove themselves by their identity now';
    return statusStep(s, next, [tokenRevoked(name, why, refsOf(s.asking))]);
  }
  if (live.secret.state !== 'ours') return issueForSwitch(s, []);
  return live.secret.inOrder ? undefined : { do: 'write-secret', events: [secretUpdated(name)] };
}
