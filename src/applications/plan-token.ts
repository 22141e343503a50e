import type { Hook } from '../contract/index.ts';
import type { ApplicationStatus, BoundWorkload } from './application.ts';
import type { ApplicationView, PlannedEvent, Step } from './application-view.ts';
import { shutdownCarriedOver } from './shutdown/carry-over.ts';
import {
  nextStatus,
  statusStep,
  timestamp,
  type ConditionChange,
  type StatusChanges,
} from './next-status.ts';
import { makeRoom } from './plan-certificate.ts';
import { foreignSecret } from './planned-events.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

/**
 * The status to which a new token's hash is added. Nothing of an earlier life is kept, no signal, no end; but for the pods of it that are still
 * there and have said goodbye: nobody has to ask them again.
 */
export function firstStatus(
  situation: Pick<Situation, 'app' | 'status' | 'now'>,
  workloads: readonly BoundWorkload[],
  view: Pick<ApplicationView, 'caBundleSha256' | 'pods'>,
  hooks: readonly Hook[],
): ApplicationStatus {
  const { app, status, now } = situation;
  const { handledRotation } = status;
  const shutdown = hooks.includes('shutdown') ? { shutdown: shutdownCarriedOver(status, view.pods) } : {};
  return nextStatus(
    { app, status: {}, now },
    {
      phase: 'Pending',
      workloads: [...workloads],
      signals: {},
      caBundleSha256: view.caBundleSha256,
      ...shutdown,
      handledRotation,
    },
    [BEING_WRITTEN],
  );
}

/** SecretReady between the hash and the Secret. */
export const BEING_WRITTEN: ConditionChange = {
  type: 'SecretReady',
  status: 'False',
  reason: 'BeingWritten',
  message: 'the Secret is being written',
};

/** There is neither token nor certificate that would be taken. */
export const NO_CREDENTIALS = {
  tokenSha256: undefined,
  tokenIssuedAt: undefined,
  formerTokens: undefined,
  certificates: undefined,
} as const satisfies StatusChanges;

/** A token for an application that begins, or begins anew, bound to the workloads that make it up now. */
export function issueForNewLife(
  s: Situation,
  why: 'first' | 'anew',
  events: readonly PlannedEvent[],
): Step | undefined {
  if (s.live.secret.state === 'foreign') return refuseForeignSecret(s);
  const fresh = firstStatus(s, refsOf(s.asking), s.view, s.hooks);
  // A pod that came before may have read the Secret of the former life.
  const mayHoldOldToken = s.live.secret.state === 'ours' && s.podCount > 0;
  const status = mayHoldOldToken ? { ...fresh, tokenRenewedAt: timestamp(s.now) } : fresh;
  return { do: 'issue-token', why, status, events };
}

/**
 * A token in place of one that was lost; signals and workloads stay. Pods that run hold the void one, unless this is the rest of a rotation: then
 * the Secret still has a token that is taken for its time of grace.
 */
export function issueForRepair(s: Situation, events: readonly PlannedEvent[]): Step {
  if (isHalfRotated(s)) {
    const status = nextStatus(s, { certificates: makeRoom(s), caBundleSha256: s.view.caBundleSha256 });
    return { do: 'issue-token', why: 'rotate', status, events: [] };
  }
  const status = nextStatus(s, {
    formerTokens: undefined,
    certificates: undefined,
    caBundleSha256: s.view.caBundleSha256,
    ...(s.podCount > 0 && wasReady(s) ? { tokenRenewedAt: timestamp(s.now) } : {}),
  });
  return { do: 'issue-token', why: 'repair', status, events };
}

/** The life goes on with another proof: signals and workloads stay. With a pod identity the Secret alone is made. */
export function issueForSwitch(s: Situation, events: readonly PlannedEvent[]): Step {
  const status = nextStatus(s, { ...NO_CREDENTIALS, caBundleSha256: s.view.caBundleSha256 }, [BEING_WRITTEN]);
  return { do: 'issue-token', why: 'first', status, events };
}

function isHalfRotated({ live: { secret }, status, now }: Situation): boolean {
  return (
    secret.state === 'ours' &&
    status.formerTokens?.some(
      ({ sha256, validUntil }) => sha256 === secret.tokenSha256 && Date.parse(validUntil) > now,
    ) === true
  );
}

/** Without a Secret of ours there is no token. */
export function refuseForeignSecret(s: Situation): Step | undefined {
  const name = s.app.metadata.name;
  const event = foreignSecret(name, refsOf(s.asking));
  const next = nextStatus(s, { phase: 'Degraded', ...NO_CREDENTIALS }, [
    { type: 'SecretReady', status: 'False', reason: event.reason, message: event.note },
  ]);
  return statusStep(s, next, [event]);
}

/** The Secret was there before: it was not merely a crash between hash and Secret. */
export function wasReady({ status }: Pick<Situation, 'status'>): boolean {
  return (
    status.conditions?.some(({ type, status: value }) => type === 'SecretReady' && value === 'True') === true
  );
}

/**
 * After the end, when the last pod is going, the Secret goes: a namesake's pods then wait for their own. The token stays valid for as long as
 * the Application is kept: a pod on its way out may still say, or repeat, that it is done, and hears 200; nothing is left to be acted upon.
 */
export function planRetirement(s: Situation): Step | undefined {
  if (s.podCount > 0) return undefined;
  // The Secret first: a new leader reads the status, and not the Secret, to see that there is nothing left to do.
  return removeSecret(s) ?? statusStep(s, nextStatus(s, { tokenRenewedAt: undefined }, [RETIRED]));
}

/** Nobody needs it any more. */
export function removeSecret({ live: { secret } }: Situation): Step | undefined {
  if (secret.state !== 'ours') return undefined;
  return secret.held ? { do: 'release-secret', secret } : { do: 'delete-secret', uid: secret.uid };
}

/** SecretReady of an application that has ended. */
export const RETIRED: ConditionChange = {
  type: 'SecretReady',
  status: 'False',
  reason: 'Retired',
  message: 'the application has come to its end; its Secret is removed',
};
