import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { CertificateIdentity, CertificateVerdict, ClientCertificates } from './client-certificates.ts';

/** The client certificate of a request, as far as it can be judged without the Application. */
export type ShownCertificate =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable' }
  | {
      readonly kind: 'refused';
      readonly sha256: string;
      readonly reason: Extract<CertificateVerdict, { ok: false }>['reason'];
    }
  | { readonly kind: 'verified'; readonly sha256: string; readonly identity: CertificateIdentity };

export interface ShownCertificateOptions {
  /** Whether the connection comes from a proxy that ends TLS and writes the header anew. */
  readonly isTrustedProxy: (remoteAddress: string | undefined) => boolean;
  /** In small letters. */
  readonly forwardedHeader: string;
  /** In milliseconds since 1970. */
  readonly now: () => number;
}

/** Reads the certificate of each request: of the connection, or of a trusted proxy's header. */
export type ReadShownCertificate = (request: IncomingMessage) => ShownCertificate;

const NONE: ShownCertificate = { kind: 'none' };
const UNREADABLE: ShownCertificate = { kind: 'unreadable' };
/** A certificate of ours has less than 1 kB; URL-encoded, three times that. */
const MAX_HEADER_LENGTH = 16_384;
const ONE_CERTIFICATE = /^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/;

interface OfConnection {
  readonly certificate: X509Certificate | undefined;
  shown: ShownCertificate;
  generation: number;
}

/**
 * A header counts only from a trusted proxy, and not over the certificate of an application that the connection itself has shown: a proxy that
 * passes TLS through has checked no header. What such a proxy shows for itself is no application's certificate, and counts as none.
 *
 * The verdict is kept for the connection, until others may sign; times are looked at each time.
 */
export function createShownCertificate(
  trust: ClientCertificates,
  options: ShownCertificateOptions,
): ReadShownCertificate {
  let generation = 0;
  trust.onChange(() => (generation += 1));
  const connections = new WeakMap<Socket, OfConnection>();

  function judge(certificate: X509Certificate): ShownCertificate {
    const sha256 = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    const verdict = trust.verify(certificate);
    return verdict.ok
      ? { kind: 'verified', sha256, identity: verdict.identity }
      : { kind: 'refused', sha256, reason: verdict.reason };
  }

  function ofConnection(socket: Socket): ShownCertificate {
    const known = connections.get(socket);
    const certificate = known === undefined ? peerCertificate(socket) : known.certificate;
    if (certificate === undefined) {
      if (known === undefined) connections.set(socket, { certificate, shown: NONE, generation });
      return NONE;
    }
    if (known?.generation === generation && isSettled(known.shown) && isInTime(certificate, options.now()))
      return known.shown;
    const shown = judge(certificate);
    connections.set(socket, { certificate, shown, generation });
    return shown;
  }

  return (request) => {
    const shown = ofConnection(request.socket);
    if (shown.kind === 'verified' || !options.isTrustedProxy(request.socket.remoteAddress)) return shown;
    const header = request.headers[options.forwardedHeader];
    if (header === undefined || header === '') return NONE;
    const certificate = typeof header === 'string' ? parseForwarded(header) : undefined;
    return certificate === undefined ? UNREADABLE : judge(certificate);
  };
}

function peerCertificate(socket: Socket): X509Certificate | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
}

/** What was refused for the time alone may be good at the next request. */
function isSettled(shown: ShownCertificate): boolean {
  return shown.kind !== 'refused' || (shown.reason !== 'not-yet-valid' && shown.reason !== 'expired');
}

function isInTime(certificate: X509Certificate, nowMs: number): boolean {
  return certificate.validFromDate.getTime() <= nowMs && nowMs < certificate.validToDate.getTime();
}

/** Exactly one certificate, PEM, URL-encoded; undefined: it is something else. */
function parseForwarded(header: string): X509Certificate | undefined {
  if (header.length > MAX_HEADER_LENGTH) return undefined;
  try {
    const pem = decodeURIComponent(header);
    return ONE_CERTIFICATE.test(pem) ? new X509Certificate(pem) : undefined;
  } catch {
    return undefined;
  }
}
