import { isRotateRequest, parsePersonRequest } from '../contract/index.ts';
import { MAX_FORMER_TOKENS, type ApplicationStatus } from './application.ts';
import type { Step } from './application-view.ts';
import { nextStatus, statusStep, timestamp, type StatusChanges } from './next-status.ts';
import { certificatesInForce, makeRoom, renewAt } from './plan-certificate.ts';
import { BEING_WRITTEN } from './plan-token.ts';
import { tokenRevoked, tokenRotated } from './planned-events.ts';
import { requestOf } from './shutdown/answer-request.ts';
import { requestRefused } from './shutdown/shutdown-events.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

/** As much of a request as is remembered, and as much of it as is told. */
const MAX_REMEMBERED = 512;
const MAX_SHOWN = 63;
/** Tokens that were issued at once are not replaced at once: up to this part of their life earlier. */
const SPREAD = 0.1;

/**
 * A person wants a new token and certificate. Carried out once: that it was is stored with its effect, and the annotation is taken away afterwards.
 * Asked before all other rules, so that it holds in every phase.
 */
export function planRotation(s: Situation): Step | undefined {
  const text = requestOf(s);
  const { handledRotation } = s.status;
  if (text === undefined) {
    return handledRotation === undefined
      ? undefined
      : statusStep(s, nextStatus(s, { handledRotation: undefined }));
  }
  const isOurs = isRotateRequest(text);
  // Everything else is said to the conversation, if there is one.
  if (!isOurs && s.shutdown !== undefined) return undefined;
  const handled = { handledRotation: text.slice(0, MAX_REMEMBERED).toWellFormed() };
  if (handledRotation === handled.handledRotation) return { do: 'drop-request', request: text };
  const problem = isOurs ? whyNot(s, text) : 'its shutdown hook is off';
  if (problem !== undefined) {
    return statusStep(s, nextStatus(s, handled), [requestRefused(text.slice(0, MAX_SHOWN), problem, s)]);
  }
  return rotate(s, parsePersonRequest(text)?.graceMs ?? 0, handled);
}

/** The token is replaced when it has come to its age, if it is to be. */
export function planAgedToken(s: Situation): Step | undefined {
  const at = agedAt(s);
  if (at === undefined || s.now < at) return undefined;
  return rotate(s, s.tokens?.graceMs ?? 0, {});
}

/** Tokens and certificates that are taken besides the newest, as long as they are. */
export function credentialsInForce(s: Situation): Pick<StatusChanges, 'formerTokens' | 'certificates'> {
  return { formerTokens: formerTokensInForce(s), certificates: certificatesInForce(s) };
}

/** When token or certificates have to be looked at again by themselves (ms since 1970); what is due already waits for something else. */
export function credentialsWakeUp(s: Situation): number | undefined {
  const { certificates = [], formerTokens = [] } = s.status;
  const newest = certificates.at(-1);
  const times = [
    ...formerTokens.map(({ validUntil }) => Date.parse(validUntil)),
    ...certificates.map(({ notAfter }) => Date.parse(notAfter)),
    ...(newest === undefined ? [] : [renewAt(newest)]),
    agedAt(s) ?? 0,
  ].filter((time) => time > s.now);
  return times.length === 0 ? undefined : Math.min(...times);
}

function whyNot(s: Situation, text: string): string | undefined {
  if (parsePersonRequest(text) === undefined)
    return 'write rotate, or rotate:DURATION with a duration like 10m or 1h, at most 720h';
  if (s.app.spec.auth !== 'token')
    return 'its pods prove themselves by their identity; there is neither token nor certificate to replace';
  return s.status.tokenSha256 === undefined ? 'it has no token' : undefined;
}

/**
 * @param graceMs how long what there was is still taken; 0: it is void at once. Pods that run have the former token in their environment either way,
 * and are told of.
 */
function rotate(s: Situation, graceMs: number, changes: StatusChanges): Step | undefined {
  const until = s.now + graceMs;
  const { name } = s.app.metadata;
  const refs = refsOf(s.asking);
  const next = { ...changes, ...former(s, until, graceMs > 0), caBundleSha256: s.view.caBundleSha256 };
  if (isGone(s)) {
    // Nobody needs another one.
    const status = nextStatus(s, { ...next, tokenSha256: undefined, tokenIssuedAt: undefined });
    return statusStep(s, status, [tokenRevoked(name, 'a person has asked for it', refs)]);
  }
  const renewed = s.podCount > 0 ? { tokenRenewedAt: timestamp(s.now) } : {};
  const status = nextStatus(s, { ...next, ...renewed }, [BEING_WRITTEN]);
  const event = tokenRotated(name, s.podCount, graceMs > 0 ? timestamp(until) : undefined, refs);
  return { do: 'issue-token', why: 'rotate', status, events: [event] };
}

/** Its Secret was removed after its end. */
function isGone(s: Situation): boolean {
  return s.status.finishedAt !== undefined && s.live.secret.state === 'absent';
}

function former(s: Situation, until: number, keeps: boolean): StatusChanges {
  const { tokenSha256 } = s.status;
  if (!keeps || tokenSha256 === undefined) return { formerTokens: undefined, certificates: undefined };
  const validUntil = timestamp(until);
  return {
    formerTokens: [...(formerTokensInForce(s) ?? []), { sha256: tokenSha256, validUntil }].slice(
      -MAX_FORMER_TOKENS,
    ),
    certificates: makeRoom(s)?.map((certificate) => ({
      ...certificate,
      notAfter: timestamp(Math.min(until, Date.parse(certificate.notAfter))),
    })),
  };
}

function formerTokensInForce({
  status,
  now,
}: Pick<Situation, 'status' | 'now'>): ApplicationStatus['formerTokens'] {
  const list = (status.formerTokens ?? []).filter(({ validUntil }) => Date.parse(validUntil) > now);
  return list.length === 0 ? undefined : list;
}

/** When its age is reached; undefined: it has no token, or tokens are kept. */
function agedAt({ app, status, tokens }: Situation): number | undefined {
  const { lifetimeMs } = tokens ?? { lifetimeMs: 0 };
  if (lifetimeMs <= 0 || app.spec.auth !== 'token' || status.tokenSha256 === undefined) return undefined;
  // One of an earlier version says nothing of its age.
  const issuedAt = Date.parse(status.tokenIssuedAt ?? app.metadata.creationTimestamp ?? '');
  if (Number.isNaN(issuedAt)) return undefined;
  const fraction = Number.parseInt(status.tokenSha256.slice(0, 8), 16) / 2 ** 32;
  return issuedAt + lifetimeMs * (1 - SPREAD * fraction);
}
