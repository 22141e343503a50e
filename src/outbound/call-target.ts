import { isIP } from 'node:net';
import { CallError } from './call-error.ts';
import type { OutboundCall } from './outbound-caller.ts';

/** Where a call goes, as read from its URL. */
export interface CallTarget {
  readonly isTls: boolean;
  /** Scheme, host and port. */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  /** Name to resolve, or an IP address (without brackets): the URL parser has turned decimal, octal and short forms into the usual one. */
  readonly host: string;
  readonly port: number;
  /** The name that the certificate has to have. */
  readonly servername: string;
  /** For messages: host and port. */
  readonly shown: string;
  /** Set when the host is an address already, or the caller says where to connect to. */
  readonly address: string | undefined;
}

const MAX_SHOWN_HOST = 60;

/** @throws CallError `invalid-url` */
export function readTarget({ url, connectTo, servername }: OutboundCall): CallTarget {
  const parsed = parseUrl(url);
  const isTls = parsed.protocol === 'https:';
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = connectTo?.port ?? (parsed.port === '' ? (isTls ? 443 : 80) : Number(parsed.port));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid('the port must be 1 to 65535');
  const address = connectTo?.address ?? (isIP(host) === 0 ? undefined : host);
  if (address !== undefined && isIP(address) === 0) {
    throw invalid('the address to connect to must be an IP address');
  }
  return {
    isTls,
    origin: parsed.origin,
    path: `${parsed.pathname}${parsed.search}`,
    host,
    port,
    servername: servername ?? host.replace(/\.$/, ''),
    shown: `${host.includes(':') ? `[${host}]` : shorten(host)}:${port}`,
    address,
  };
}

function parseUrl(url: string): URL {
  // The URL itself may hold a password or token, so no message repeats it.
  const parsed = URL.parse(url);
  if (parsed === null) throw invalid('write it like https://name:port/path');
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw invalid('its scheme must be http or https');
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw invalid('it must contain no user name and no password');
  }
  return parsed;
}

function invalid(what: string): CallError {
  return new CallError('invalid-url', `the URL cannot be called: ${what}`);
}

function shorten(host: string): string {
  return host.length <= MAX_SHOWN_HOST ? host : `${host.slice(0, MAX_SHOWN_HOST)}…`;
}
