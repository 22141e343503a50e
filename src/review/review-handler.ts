import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, sendProblem, sendProblemAndClose, type Problem } from '../http/index.ts';
import type { LogFields, Logger } from '../observability/index.ts';
import type { AdmissionRequest } from './admission-request.ts';
import { MalformedObjectError } from './malformed-object-error.ts';
import { parseBody } from './parse-body.ts';
import { parseReview } from './parse-review.ts';
import { createCallerCheck, type ReviewCallers } from './review-callers.ts';
import { errored } from './review-response.ts';

export interface ReviewHandlerDeps {
  /** Decides about one request and tells of it. What it throws is answered with an errored review. */
  readonly answer: ReviewAnswer;
  readonly logger: Logger;
  readonly metrics: ReviewHandlerMetrics;
  /** A clock that only goes forward, in milliseconds. */
  readonly now: () => number;
}

export interface ReviewHandlerMetrics {
  /** A request was no usable review. */
  rejected(status: number): void;
  /** A review ended in an error: the object is not what it says, or we failed. */
  errored(request: AdmissionRequest, reason: 'malformed-object' | 'internal-error', startedMs: number): void;
}

export interface ReviewHandlerOptions {
  /** Whose reviews they are, for the log: `admission`, `gate`. */
  readonly subject: string;
  /** The path that the webhook configuration names; the API server adds a query to it. */
  readonly path: string;
  /** Default: whoever reaches the listener is answered. */
  readonly callers?: ReviewCallers;
  /** For the whole request to arrive. */
  readonly deadlineMs: number;
}

/** The body of the answer to a review. `startedMs`: when the whole request had been read, by `now`. */
export type ReviewAnswer = (request: AdmissionRequest, startedMs: number) => string | Promise<string>;

/** Answers one request. Resolves when the answer is written; never rejects. */
export type ReviewHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * The largest request that the API server can send: it takes objects of up to 3 MiB (its --max-request-body-bytes), a review has two of
 * them, object and oldObject, and 1 MiB is left for the envelope and what JSON adds.
 */
export const BODY_LIMIT_BYTES = 7 * 1024 * 1024;
const JSON_TYPE = /^application\/json\s*(;|$)/i;

/**
 * The request handler of a webhook's listener: an AdmissionReview (v1) in, an AdmissionReview out. What is no review is answered with a
 * 4xx as problem+json; a review is always answered with a review, also when deciding fails. It keeps nothing between requests.
 */
export function createReviewHandler(
  { answer, logger, metrics, now }: ReviewHandlerDeps,
  { subject, path, callers = {}, deadlineMs }: ReviewHandlerOptions,
): ReviewHandler {
  const checkCaller = createCallerCheck(path, callers);
  const reject = (request: IncomingMessage, response: ServerResponse, problem: Problem): void => {
    metrics.rejected(problem.status);
    logger.warn(`${subject} request rejected`, {
      code: problem.status,
      reason: problem.reason ?? problem.detail,
    });
    if (request.complete) sendProblem(response, problem);
    else sendProblemAndClose(request, response, problem);
  };

  const failed = (request: AdmissionRequest, error: unknown, startedMs: number): string => {
    if (error instanceof MalformedObjectError) {
      metrics.errored(request, 'malformed-object', startedMs);
      logger.warn(`${subject} review malformed`, { ...describeRequest(request), error: error.message });
      return errored(request.uid, 400, `krake-hooks cannot read the object: ${error.message}`);
    }
    metrics.errored(request, 'internal-error', startedMs);
    // The name of the error only: its message could quote the object.
    const name = error instanceof Error ? error.name : 'unknown';
    const fields = { ...describeRequest(request), error: name, at: topFrame(error) };
    logger.error(`${subject} review failed`, fields);
    return errored(request.uid, 500, 'krake-hooks could not decide, by an error of its own; see its log');
  };

  /** A string without a promise where there is one: the hot path of admission decides at once. */
  const answered = (request: AdmissionRequest): string | Promise<string> => {
    const startedMs = now();
    try {
      const body = answer(request, startedMs);
      return typeof body === 'string'
        ? body
        : body.catch((error: unknown) => failed(request, error, startedMs));
    } catch (error) {
      return failed(request, error, startedMs);
    }
  };

  return async (request, response) => {
    const checking = checkCaller(request);
    const problem = (checking instanceof Promise ? await checking : checking) ?? checkType(request);
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
    const parsed = parseBody(read.body);
    const result =
      parsed.kind === 'json'
        ? parseReview(parsed.value)
        : { outcome: 'invalid' as const, detail: parsed.detail };
    if (result.outcome === 'invalid') {
      reject(request, response, { status: 400, detail: result.detail });
      return;
    }
    const answering = answered(result.request);
    const body = typeof answering === 'string' ? answering : await answering;
    const bodyBytes = Buffer.byteLength(body);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': bodyBytes });
    // Nearly every answer is ASCII, which needs no encoding on its way into the socket.
    response.end(body, bodyBytes === body.length ? 'latin1' : 'utf8');
  };
}

const TOO_LARGE: Problem = { status: 413, detail: `The body is larger than ${BODY_LIMIT_BYTES} bytes.` };
const TOO_SLOW: Problem = { status: 408, detail: 'The body did not arrive in time.' };

function checkType({ headers }: IncomingMessage): Problem | undefined {
  const type = headers['content-type'] ?? '';
  if (type !== 'application/json' && !JSON_TYPE.test(type)) {
    return { status: 415, detail: 'Content-Type must be application/json.' };
  }
  return undefined;
}

/** What a log line says of a request. */
export function describeRequest({
  uid,
  kind,
  operation,
  namespace,
  name,
  dryRun,
}: AdmissionRequest): LogFields {
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
