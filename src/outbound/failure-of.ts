import { CallError } from './call-error.ts';
import type { CallTarget } from './call-target.ts';

// What went wrong, by error code and never by text, in words that say what to do. Nothing that the other side sent is repeated.

const CONNECT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection; does anything listen on this port?',
  EHOSTUNREACH: 'cannot be reached; does it run, and does a NetworkPolicy let us through?',
  ENETUNREACH: 'cannot be reached: there is no route to its network',
  ECONNRESET: 'broke the connection off while it was being opened',
  EACCES: 'cannot be reached: this system forbids the connection',
  EPERM: 'cannot be reached: this system forbids the connection',
  EMFILE: 'cannot be called: this process has no file descriptor left',
  ENFILE: 'cannot be called: this system has no file descriptor left',
  EADDRNOTAVAIL: 'cannot be called: this system has no local port left',
};

const TLS: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'has a certificate for another name',
  CERT_HAS_EXPIRED: 'has a certificate that has expired',
  CERT_NOT_YET_VALID: 'has a certificate that is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a self-signed certificate; add it to outbound.caFile',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate of an unknown CA; add the CA to outbound.caFile',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'has a certificate of an unknown CA; add the CA to outbound.caFile',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'has a certificate of an unknown CA, or sends its chain incomplete; add the CA to outbound.caFile',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does not speak TLS 1.2 or later on this port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'does not speak TLS on this port',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'speaks no TLS 1.2 or later',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'speaks no TLS 1.2 or later',
};

export function connectFailure(error: unknown, { shown }: CallTarget): CallError {
  // One error for each address that was tried.
  const errors = member(error, 'errors');
  const codes = Array.isArray(errors) ? errors.map(codeOf) : [codeOf(error)];
  const code = codes.find((each) => each !== 'ETIMEDOUT') ?? 'ETIMEDOUT';
  if (code === 'ETIMEDOUT') return connectTimedOut(error, shown);
  return new CallError('connect', `${shown} ${CONNECT[code] ?? `cannot be connected to (${code})`}`, {
    cause: error,
  });
}

export function connectTimedOut(cause: unknown, shown: string): CallError {
  return new CallError(
    'connect-timeout',
    `${shown} did not accept a connection in time; does it run, and does a NetworkPolicy let us through?`,
    { cause },
  );
}

export function tlsFailure(error: unknown, { shown, servername }: CallTarget): CallError {
  const code = codeOf(error);
  const known = TLS[code];
  const name = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? `; it needs ${servername.slice(0, 60)}` : '';
  return new CallError('tls', `${shown} ${known ?? `ended the TLS handshake (${code})`}${name}`, {
    cause: error,
  });
}

/** The connection stood, but no head came. */
export function exchangeFailure(error: unknown, { shown }: CallTarget): CallError {
  const code = codeOf(error);
  // The parser's error has a class of its own, and a code only in principle.
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || member(error, 'name') === 'HTTPParserError') {
    return new CallError('bad-answer', `${shown} sent what is no HTTP/1.1 answer; is it the right port?`, {
      cause: error,
    });
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    return new CallError('invalid-request', 'a header or the method of the request cannot be sent', {
      cause: error,
    });
  }
  return new CallError('closed', `${shown} closed the connection without an answer`, { cause: error });
}

function codeOf(error: unknown): string {
  const code = member(error, 'code');
  return typeof code === 'string' ? code.slice(0, 60) : 'closed';
}

/** What is thrown need not be an Error of this realm. */
function member(error: unknown, name: 'code' | 'errors' | 'name'): unknown {
  return typeof error === 'object' && error !== null && name in error
    ? (error as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
