import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.ts';
import { problemBody, type Problem } from './problem.ts';

/** Why a connection failed before or within a request: the words of the metric. */
export type ClientFailure = 'tls' | 'certificate' | 'timeout' | 'header-too-large' | 'malformed' | 'reset';

/** What refuses a client whose certificate is not taken leaves its reason at the socket; that none was shown is an error of OpenSSL's. */
const NO_CERTIFICATE = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';

/** Why a client's certificate was refused in the handshake, in OpenSSL's word for it; undefined: that was not the reason. */
export function certificateRefusal(error: NodeJS.ErrnoException, socket: Socket): string | undefined {
  if (error.code === NO_CERTIFICATE) return 'no certificate';
  const reason: unknown = 'authorizationError' in socket ? socket.authorizationError : undefined;
  return typeof reason === 'string' ? reason : undefined;
}

export function classifyClientError(error: NodeJS.ErrnoException, refusal?: string): ClientFailure {
  const code = error.code ?? '';
  if (refusal !== undefined) return 'certificate';
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
