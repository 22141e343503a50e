import express, { type NextFunction, type Request, type Response } from 'express';
import { HOOKS, type Hook } from '../contract/index.ts';
import {
  addressOf,
  bearerOf,
  createTokenBuckets,
  sendProblem,
  sendProblemAndClose,
  sourceOf,
} from '../http/index.ts';
import type { LogFields, Logger } from '../observability/index.ts';
import {
  answerTo,
  INTERNAL_ERROR,
  MALFORMED_REQUEST,
  METHOD_NOT_ALLOWED,
  NO_SUCH_PATH,
  tooManyFailures,
  type Answer,
} from './answers.ts';
import { shortHash, type Audit } from './audit.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { createFloodLog } from './flood-log.ts';
import type { Evidence } from './prove-sender.ts';
import { readSignalBody } from './read-signal-body.ts';
import {
  createSignalReceiver,
  type SignalReceiverDeps,
  type SignalReceiverOptions,
} from './receive-signal.ts';
import type { ReadShownCertificate } from './shown-certificate.ts';

export interface CallbackRouterDeps extends Omit<SignalReceiverDeps, 'metrics'> {
  readonly shownCertificate: ReadShownCertificate;
  readonly audit: Pick<Audit, 'answered'>;
  readonly logger: Logger;
  readonly metrics: CallbackMetrics;
}

/** The rate is of requests that are proven. One that the API server need not be asked for counts a tenth. */
export interface CallbackRouterOptions extends SignalReceiverOptions {
  readonly bodyLimitBytes: number;
  readonly bodyTimeoutMs?: number;
  /** Of failed requests from one address; what is proven always goes through. */
  readonly failuresPerSourcePerSecond?: number;
  readonly failureBurst?: number;
  /** Base URL that applications use instead of the Service; its path is accepted in front of ours, for an ingress that does not strip it. */
  readonly externalEndpoint?: string;
}

const BODY_TIMEOUT_MS = 10_000;
/** A pod with an outdated token that tries again each second stays far below. */
const FAILURES_PER_SOURCE_PER_SECOND = 10;
const FAILURE_BURST = 100;

/**
 * `PUT {prefix}/kubernetes/namespaces/{namespace}/applications/{name}/{hook}`, body `{"token": "…"}` whatever its Content-Type, with the client certificate
 * of the application; or `Authorization: Bearer`, then the body may be empty. A goodbye may also have `"pod"` and `"conversation"`.
 *
 * 200: the API server has the signal; the same body on each repeat. 401 for everything unproven, in the same time and words. 403: proven to be somebody
 * else. 409: the hook is not enabled, or the signal makes no sense now. 429, 503 with Retry-After: nothing stored, or not known; a repeat is safe. 400, 404, 405, 408, 413, 415: the request is wrong.
 * Errors are problem+json. One log line and one count for each answer; of a flood of failures each reason is one line in ten seconds, with how many
 * there were (`times`), and the others go to debug.
 */
export function createCallbackRouter(
  deps: CallbackRouterDeps,
  options: CallbackRouterOptions,
): express.Express {
  const { logger, metrics, clock } = deps;
  const { bodyLimitBytes, bodyTimeoutMs = BODY_TIMEOUT_MS } = options;
  const receive = createSignalReceiver(deps, options);
  const failures = createTokenBuckets(
    {
      ratePerSecond: options.failuresPerSourcePerSecond ?? FAILURES_PER_SOURCE_PER_SECOND,
      burst: options.failureBurst ?? FAILURE_BURST,
    },
    () => clock.monotonic(),
  );
  const floods = createFloodLog(() => clock.monotonic());

  async function handleSignal(request: Request, response: Response): Promise<void> {
    const startedAt = clock.monotonic();
    const [namespace = '', name = '', hook] = [
      request.params[0],
      request.params[1],
      request.params[2] as Hook,
    ];
    const target = { namespace, name, hook };
    const bearer = bearerOf(request.headers.authorization);
    const read = await readSignalBody(request, hook, {
      limitBytes: bodyLimitBytes,
      timeoutMs: bodyTimeoutMs,
      mayBeEmpty: bearer !== undefined,
    });
    if (read.kind === 'aborted') {
      logger.debug('caller left before its request was whole', { ...target });
      return;
    }
    if (read.kind === 'refused') {
      send(request, response, read.answer, { ...target, startedAt });
      return;
    }
    const { token, pod, conversation } = read;
    const { remoteAddress } = request.socket;
    const sender = { pod, conversation, address: addressOf(remoteAddress) };
    const certificate = deps.shownCertificate(request);
    const credentials = { token, bearer, certificate, source: sourceOf(remoteAddress) };
    const signal = { ...target, credentials, sender };
    const { outcome, evidence } = await receive(signal);
    send(request, response, answerTo(signal, outcome), { ...target, evidence, startedAt });
  }

  interface Context {
    readonly namespace?: string;
    readonly name?: string;
    readonly hook?: Hook;
    readonly evidence?: Evidence;
    readonly startedAt: number;
  }

  function send(request: Request, response: Response, decided: Answer, context: Context): void {
    const source = sourceOf(request.socket.remoteAddress);
    const { answer, flooding } = budgeted(decided, source);
    const status = statusOf(answer);
    if (answer.kind === 'success') sendSuccess(response, answer.body);
    else if (answer.unread === true) sendProblemAndClose(request, response, answer.problem);
    else sendProblem(response, answer.problem);

    // After the answer: what is logged must not be told from how long it takes.
    const { namespace, name, hook, evidence = {}, startedAt } = context;
    // The reason also of what is answered with a 429 for the flood around it.
    const { reason, uid, error } = decided;
    metrics.answered(hook ?? 'none', status, reason, (clock.monotonic() - startedAt) / 1000);
    const times = flooding ? floods.told(source, reason) : undefined;
    const level = times === 0 ? 'debug' : status >= 500 ? 'warn' : 'info';
    const fields = { reason, status, namespace: cut(namespace), application: cut(name), uid, hook, source };
    logger[level]('callback answered', {
      ...fields,
      ...told(evidence),
      ...(times === undefined ? {} : { times }),
      ...(error === undefined ? {} : { error }),
    });
    if (namespace === undefined || name === undefined || hook === undefined || uid === undefined) return;
    deps.audit.answered({
      status: statusOf(decided),
      reason,
      hook,
      namespace,
      name,
      uid,
      evidence,
    });
  }

  /** Charges failures to the address that they come from. Beyond its budget a 401 or 403 becomes a 429, and few of them are told in the log. */
  function budgeted(answer: Answer, source: string): { answer: Answer; flooding: boolean } {
    if (answer.kind === 'success') return { answer, flooding: false };
    const wait = failures.take(source);
    if (wait === 0) return { answer, flooding: false };
    const proves = answer.problem.status !== 401 && answer.problem.status !== 403;
    return { answer: proves ? answer : tooManyFailures(wait), flooding: true };
  }

  const plain = (answer: Answer) => (request: Request, response: Response) =>
    send(request, response, answer, { startedAt: clock.monotonic() });

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.route(pathPattern(options.externalEndpoint)).put(handleSignal).all(plain(METHOD_NOT_ALLOWED));
  app.use(plain(NO_SUCH_PATH));
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    // express reports a path that it cannot decode.
    const malformed = error instanceof URIError;
    if (!malformed) logger.error('callback failed', { error: String(error) });
    plain(malformed ? MALFORMED_REQUEST : INTERNAL_ERROR)(request, response);
  });
  return app;
}

function statusOf(answer: Answer): number {
  return answer.kind === 'success' ? 200 : answer.problem.status;
}

/** What the log says of who it was. */
function told({ proof, pod, credentialId, certificateSha256 }: Evidence): LogFields {
  return {
    ...(proof === undefined ? {} : { proof }),
    ...(pod === undefined ? {} : { pod: pod.name, podUid: pod.uid }),
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(certificateSha256 === undefined ? {} : { certificate: shortHash(certificateSha256) }),
  };
}

function sendSuccess(response: Response, body: string): void {
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  };
  response.writeHead(200, headers).end(body);
}

function pathPattern(externalEndpoint: string | undefined): RegExp {
  const prefix = externalEndpoint === undefined ? '' : new URL(externalEndpoint).pathname.replace(/\/+$/, '');
  const optionalPrefix = prefix === '' ? '' : `(?:${prefix.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')})?`;
  return new RegExp(
    `^${optionalPrefix}/kubernetes/namespaces/([^/]+)/applications/([^/]+)/(${HOOKS.join('|')})/?$`,
  );
}

/** Names come from the path, and a path may be as long as a header. */
function cut(name: string | undefined): string | undefined {
  return name?.slice(0, 253);
}
