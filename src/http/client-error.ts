import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.ts';
import { problemBody, type Problem } from './problem.ts';

/** Why a connection failed before or within a request: the words of the metric. */
export type ClientFailure = 'tls' | 'timeout' | 'header-too-large' | 'malformed' | 'reset';

export function classifyClientError(error: NodeJS.ErrnoException): ClientFailure {
  const code = error.code ?? '';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'timeout';
  if (code === 'HPE_HEADER_OVERFLOW') return 'header-too-large';
  // The parser's word for a connection that ended in the middle of a request.
  if (code === 'HPE_INVALID_EOF_STATE') return 'reset';
  if (code.startsWith('HPE_')) return 'malformed';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  return 'tls';
}

const PROBLEMS: Partial<Record<ClientFailure, Problem>> = {
  timeout: { status: 408, detail: 'The request did not come in time.' },
  'header-too-large': { status: 431, detail: 'The header of the request is too large.' },
  malformed: { status: 400, detail: 'This is no HTTP request.' },
};

/** Answers what the HTTP parser could make nothing of, where an answer can still be understood, and closes the connection. */
export function answerClientError(failure: ClientFailure, socket: Socket, connections: Connections): void {
  const problem = PROBLEMS[failure];
  const begun = connections.underWay(socket).some((response) => response.headersSent);
  if (problem === undefined || begun || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = problemBody(problem);
  socket.write(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
