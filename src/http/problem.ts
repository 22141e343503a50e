import { STATUS_CODES, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';

/** RFC 9457. Never a token, a key or anything of a request's body in it. */
export interface Problem {
  readonly status: number;
  /** Short and the same for every occurrence; default: the reason phrase of the status. */
  readonly title?: string;
  /** What is wrong and what to do about it. */
  readonly detail: string;
  /** Default `about:blank`: the title says it all. */
  readonly type?: string;
  /** Machine-readable, the same word as in logs and metrics. */
  readonly reason?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** How long a refused sender may go on before the connection is cut; until then it can read the answer. */
const LINGER_MS = 1_000;

/** Answers with the problem. Does nothing when an answer has begun already. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent) return;
  const body = problemBody(problem);
  response.writeHead(problem.status, headersOf(problem, body)).end(body);
}

/**
 * Answers with the problem while the request's body is still on its way, then closes the connection. Closing it at once would have
 * the kernel reset it, and the sender would see the reset instead of the answer: so what still comes is thrown away for a second.
 */
export function sendProblemAndClose(
  request: IncomingMessage,
  response: ServerResponse,
  problem: Problem,
): void {
  if (response.headersSent) return;
  const body = problemBody(problem);
  response.writeHead(problem.status, { ...headersOf(problem, body), Connection: 'close' });
  response.write(body);
  if (request.complete || request.destroyed) {
    response.end();
    return;
  }
  const end = () => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  request.once('end', end).once('close', end).on('error', end).resume();
}

/** The body of a problem+json answer. */
export function problemBody({ status, title, detail, type, reason }: Problem): string {
  return JSON.stringify({
    type: type ?? 'about:blank',
    title: title ?? STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(reason === undefined ? {} : { reason }),
  });
}

function headersOf(problem: Problem, body: string): OutgoingHttpHeaders {
  return {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...problem.headers,
  };
}
