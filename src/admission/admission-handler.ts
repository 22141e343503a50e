import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWorkloadKind } from '../contract/index.ts';
import { readBody, sendProblem, sendProblemAndClose, type Problem } from '../http/index.ts';
import type { LogFields, Logger } from '../observability/index.ts';
import type { AdmissionMetrics } from './admission-metrics.ts';
import type { AdmissionRequest } from './admission-request.ts';
import { MalformedObjectError } from './malformed-object-error.ts';
import { parseBody } from './parse-body.ts';
import { parseReview } from './parse-review.ts';
import { errored, respondTo } from './review-response.ts';
import { review } from './review.ts';
import type { AdmissionSettings } from './settings.ts';

export interface AdmissionHandlerDeps {
  readonly logger: Logger;
  readonly metrics: AdmissionMetrics;
  /** A clock that only goes forward, in milliseconds. */
  readonly now?: () => number;
}

export interface AdmissionHandlerOptions {
  readonly settings: AdmissionSettings;
  /** For the whole request to arrive; the review itself takes well under a millisecond. */
  readonly deadlineMs: number;
}

/** Answers one request. Resolves when the answer is written; never rejects. */
export type AdmissionHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The path that the webhook configuration names; the API server adds a query to it. */
export const ADMISSION_PATH = '/mutate';
/**
 * The largest request that the API server can send: it takes objects of up to 3 MiB (its --max-request-body-bytes), a review has two of
 * them, object and oldObject, and 1 MiB is left for the envelope and what JSON adds.
 */
export const BODY_LIMIT_BYTES = 7 * 1024 * 1024;
const PATH_AND_QUERY = `${ADMISSION_PATH}?`;
const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * The admission listener's request handler: an AdmissionReview (v1) in, an AdmissionReview out. What is no review is answered with a
 * 4xx as problem+json; a review is always answered with a review, also when deciding fails. It keeps nothing between requests.
 */
export function createAdmissionHandler(
  { logger, metrics, now = () => performance.now() }: AdmissionHandlerDeps,
  { settings, deadlineMs }: AdmissionHandlerOptions,
): AdmissionHandler {
  const reject = (request: IncomingMessage, response: ServerResponse, problem: Problem): void => {
    metrics.rejected(problem.status);
    logger.warn('admission request rejected', { code: problem.status, reason: problem.detail });
    if (request.complete) sendProblem(response, problem);
    else sendProblemAndClose(request, response, problem);
  };

  /** The body of the answer to a review. */
  const decide = (request: AdmissionRequest, startedMs: number): string => {
    const answered = (
      outcome: Parameters<AdmissionMetrics['reviewed']>[1],
      reason: Parameters<AdmissionMetrics['reviewed']>[2],
    ): void => {
      const kind = isWorkloadKind(request.kind.kind) ? request.kind.kind : 'other';
      metrics.reviewed(kind, outcome, reason, (now() - startedMs) / 1_000);
    };
    try {
      const decision = review(request, settings);
      const body = respondTo(request.uid, decision);
      answered(decision.outcome, decision.reason);
      const { application, warnings } = decision;
      const level = decision.outcome === 'unchanged' ? 'debug' : 'info';
      logger[level]('admission decided', {
        ...describe(request),
        outcome: decision.outcome,
        reason: decision.reason,
        application,
        warnings: warnings.length,
      });
      return body;
    } catch (error) {
      if (error instanceof MalformedObjectError) {
        answered('errored', 'malformed-object');
        logger.warn('admission review malformed', { ...describe(request), error: error.message });
        return errored(request.uid, 400, `krake-hooks cannot read the object: ${error.message}`);
      }
      metrics.failed();
      answered('errored', 'internal-error');
      // The name of the error only: its message could quote the object.
      const name = error instanceof Error ? error.name : 'unknown';
      logger.error('admission review failed', { ...describe(request), error: name, at: topFrame(error) });
      return errored(request.uid, 500, 'krake-hooks could not decide, by an error of its own; see its log');
    }
  };

  return async (request, response) => {
    const problem = checkRequest(request);
    if (problem !== undefined) {
      reject(request, response, problem);
      return;
    }
    const read = await readBody(request, { limitBytes: BODY_LIMIT_BYTES, timeoutMs: deadlineMs });
    if (read.kind === 'aborted') {
      // Nobody waits for an answer.
      metrics.rejected(499);
      return;
    }
    if (read.kind !== 'body') {
      reject(request, response, read.kind === 'tooLarge' ? TOO_LARGE : TOO_SLOW);
      return;
    }
    const startedMs = now();
    const parsed = parseBody(read.body);
    const result =
      parsed.kind === 'json'
        ? parseReview(parsed.value)
        : { outcome: 'invalid' as const, detail: parsed.detail };
    if (result.outcome === 'invalid') {
      reject(request, response, { status: 400, detail: result.detail });
      return;
    }
    const body = decide(result.request, startedMs);
    const bodyBytes = Buffer.byteLength(body);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': bodyBytes });
    // Nearly every answer is ASCII, which needs no encoding on its way into the socket.
    response.end(body, bodyBytes === body.length ? 'latin1' : 'utf8');
  };
}

const TOO_LARGE: Problem = { status: 413, detail: `The body is larger than ${BODY_LIMIT_BYTES} bytes.` };
const TOO_SLOW: Problem = { status: 408, detail: 'The body did not arrive in time.' };

function checkRequest({ url = '', method, headers }: IncomingMessage): Problem | undefined {
  const isOurs = url === ADMISSION_PATH || url.startsWith(PATH_AND_QUERY);
  if (!isOurs) return { status: 404, detail: `Reviews are answered at ${ADMISSION_PATH}.` };
  if (method !== 'POST') {
    return { status: 405, detail: 'Send a review with POST.', headers: { Allow: 'POST' } };
  }
  const type = headers['content-type'] ?? '';
  if (type !== 'application/json' && !JSON_TYPE.test(type)) {
    return { status: 415, detail: 'Content-Type must be application/json.' };
  }
  return undefined;
}

function describe({ uid, kind, operation, namespace, name, dryRun }: AdmissionRequest): LogFields {
  return { namespace, kind: kind.kind, name, operation, uid, dryRun };
}

/** Where it happened: the first line of the stack that names a place in our code. */
function topFrame(error: unknown): string | undefined {
  const stack = error instanceof Error ? error.stack : undefined;
  return stack
    ?.split('\n')
    .find((line) => line.trimStart().startsWith('at '))
    ?.trim();
}
