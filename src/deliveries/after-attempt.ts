import {
  MAX_LOG,
  type Attempt,
  type DeliveryStatus,
  type WebhookDelivery,
  type WebhookSpec,
} from '../jobs/index.ts';
import { parseRetryAfter, retryDelayMs, type CallResult, type Verdict } from '../outbound/index.ts';
import { hideQuery } from './hide-query.ts';

export interface RetryOptions {
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  readonly retryAfterCeilingMs: number;
  /** Attempts of what is likely to fail again, such as 401. */
  readonly maxRefusals: number;
}

/** What came of an attempt; `unsigned`: it was not made, since its key could not be had. */
export type AttemptResult =
  | { readonly kind: 'called'; readonly result: CallResult; readonly verdict: Verdict }
  | { readonly kind: 'unsigned'; readonly problem: string };

export interface AttemptFacts {
  readonly startedAt: number;
  readonly now: number;
  /** From 0 to below 1. */
  readonly random: number;
}

const MAX_RESPONSE = 500;
const MAX_ERROR = 250;

/** The status of a delivery after an attempt: delivered, to be tried again at a time that stands in it, or a dead letter. Pure. */
export function afterAttempt(
  delivery: Pick<WebhookDelivery, 'metadata' | 'status'>,
  webhook: Pick<WebhookSpec, 'maxAgeSeconds' | 'url'>,
  outcome: AttemptResult,
  facts: AttemptFacts,
  options: RetryOptions,
): DeliveryStatus {
  const before = delivery.status ?? {};
  const attempts = (before.attempts ?? 0) + 1;
  const roundAttempts = (before.roundAttempts ?? 0) + 1;
  const refused = outcome.kind === 'called' && outcome.verdict === 'retry-few';
  const refusals = (before.refusals ?? 0) + (refused ? 1 : 0);
  const status: DeliveryStatus = {
    ...kept(before),
    attempts,
    roundAttempts,
    ...(refusals > 0 && { refusals }),
    log: [...(before.log ?? []), logged(attempts, webhook.url, outcome, facts)].slice(-MAX_LOG),
  };
  const at = new Date(facts.now).toISOString();
  if (outcome.kind === 'called' && outcome.verdict === 'delivered') {
    return { ...status, phase: 'Delivered', deliveredAt: at, finishedAt: at };
  }
  const deadReason = whyDead(outcome, refusals, options);
  if (deadReason !== undefined) return { ...status, phase: 'DeadLetter', reason: deadReason, finishedAt: at };

  const nextAt = facts.now + delayMs(outcome, roundAttempts, facts, options);
  const startedAt = Date.parse(before.roundStartedAt ?? delivery.metadata.creationTimestamp ?? at);
  if (nextAt > startedAt + webhook.maxAgeSeconds * 1_000) {
    return { ...status, phase: 'DeadLetter', reason: 'TooOld', finishedAt: at };
  }
  return { ...status, phase: 'Pending', nextAttemptAt: new Date(nextAt).toISOString() };
}

/** For how long the endpoint as a whole asks to be left alone, up to the ceiling: by 429 or 503 with Retry-After, which speak of all requests. Pure. */
export function pauseAsked(
  outcome: AttemptResult,
  now: number,
  { retryAfterCeilingMs }: Pick<RetryOptions, 'retryAfterCeilingMs'>,
): number | undefined {
  if (outcome.kind !== 'called' || outcome.result.kind !== 'answered') return undefined;
  if (outcome.result.status !== 429 && outcome.result.status !== 503) return undefined;
  const askedMs = retryAfterMs(outcome, now);
  return askedMs === undefined || askedMs === 0 ? undefined : Math.min(askedMs, retryAfterCeilingMs);
}

/** The status of a delivery that no attempt is made of any more. */
export function withoutAttempt(
  before: DeliveryStatus,
  end: { readonly phase: 'DeadLetter' | 'Cancelled'; readonly reason: string },
  now: number,
): DeliveryStatus {
  return { ...kept(before), ...end, finishedAt: new Date(now).toISOString() };
}

/** A person asks for it again: a new round, with the same id. */
export function newRound(before: DeliveryStatus, request: string, now: number): DeliveryStatus {
  const { attempts, log } = before;
  return {
    ...(attempts !== undefined && { attempts }),
    ...(log !== undefined && { log }),
    phase: 'Pending',
    redelivered: request,
    roundStartedAt: new Date(now).toISOString(),
  };
}

/** What lasts from one status to the next. */
function kept({
  attempts,
  roundAttempts,
  refusals,
  roundStartedAt,
  redelivered,
  log,
}: DeliveryStatus): DeliveryStatus {
  return {
    ...(attempts !== undefined && { attempts }),
    ...(roundAttempts !== undefined && { roundAttempts }),
    ...(refusals !== undefined && { refusals }),
    ...(roundStartedAt !== undefined && { roundStartedAt }),
    ...(redelivered !== undefined && { redelivered }),
    ...(log !== undefined && { log }),
  };
}

function whyDead(
  outcome: AttemptResult,
  refusals: number,
  { maxRefusals }: RetryOptions,
): string | undefined {
  if (outcome.kind === 'unsigned') return undefined;
  switch (outcome.verdict) {
    case 'disable':
      return 'EndpointGone';
    case 'fail':
      return 'CannotBeSent';
    case 'retry-few':
      return refusals >= maxRefusals ? 'Refused' : undefined;
    default:
      return undefined;
  }
}

function delayMs(
  outcome: AttemptResult,
  attempt: number,
  { now, random }: AttemptFacts,
  options: RetryOptions,
): number {
  return retryDelayMs(
    attempt,
    retryAfterMs(outcome, now),
    {
      baseMs: options.retryBaseMs,
      capMs: options.retryCapMs,
      retryAfterCeilingMs: options.retryAfterCeilingMs,
    },
    random,
  );
}

function retryAfterMs(outcome: AttemptResult, now: number): number | undefined {
  if (outcome.kind !== 'called' || outcome.result.kind !== 'answered') return undefined;
  const header = outcome.result.headers['retry-after'];
  return header === undefined ? undefined : parseRetryAfter(header, now);
}

function logged(
  number: number,
  url: string,
  outcome: AttemptResult,
  { startedAt, now }: AttemptFacts,
): Attempt {
  const common = {
    number,
    at: new Date(startedAt).toISOString(),
    durationMs: Math.max(0, Math.round(now - startedAt)),
  };
  if (outcome.kind === 'unsigned') return { ...common, error: outcome.problem.slice(0, MAX_ERROR) };
  const { result, verdict } = outcome;
  if (result.kind === 'failed')
    return { ...common, error: `${result.reason}: ${result.message}`.slice(0, MAX_ERROR) };
  const response = hideQuery(printable(result.body), url).slice(0, MAX_RESPONSE);
  return {
    ...common,
    status: result.status,
    ...(verdict !== 'delivered' &&
      result.status < 400 && { error: 'not a success: redirects are not followed' }),
    ...(response !== '' && { response }),
  };
}

/** Text of a stranger that people will read in a terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ' ').trim();
}
