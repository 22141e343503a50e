/** Where an application is asked to shut down. */
export interface ShutdownService {
  readonly scheme: 'http' | 'https';
  /** `service`: a Service of the application's namespace is asked once; `pod`: each pod itself. */
  readonly form: 'service' | 'pod';
  /** Name of the Service; undefined in the `pod` form. */
  readonly service: string | undefined;
  /** Number or name of the port; undefined: the first of the Service. */
  readonly port: number | string | undefined;
  /** Begins with a slash. */
  readonly path: string;
}

/** Krake's convention: the Service `shutdown`, its first port, `PUT /shutdown`. */
export const DEFAULT_SHUTDOWN_SERVICE = 'shutdown';
const DEFAULT_PATH = '/shutdown';
/** The name that stands for each pod itself; a Service of that name cannot be used. */
const POD = 'pod';

/**
 * The path is of the characters that RFC 3986 allows in a path and a query, so that no URL parser reads it in two ways; two slashes at its
 * beginning would name another host to those that resolve it against a base.
 */
const SHAPE =
  /^(?:(https?):\/\/)?([a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)(?::([0-9]{1,5}|[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?))?(\/(?!\/)[-\w.~!$&'()*+,;=:@%/?]{0,255})?$/;

/**
 * Reads `[http://|https://]NAME[:PORT][/PATH]`; PORT is a number or a port's name. Without a path it is `/shutdown`.
 *
 * @returns undefined when the text is nothing of the kind: another scheme, user information, a host outside of the namespace, a port out of
 * range, or `pod` without a port
 */
export function parseShutdownService(text: string): ShutdownService | undefined {
  const [, scheme, name, portText, path] = SHAPE.exec(text.trim()) ?? [];
  if (name === undefined) return undefined;
  const port = portText !== undefined && /^\d+$/.test(portText) ? Number(portText) : portText;
  if (typeof port === 'number' && (port < 1 || port > 65_535)) return undefined;
  if (name === POD && port === undefined) return undefined;
  return {
    scheme: scheme === 'https' ? 'https' : 'http',
    form: name === POD ? 'pod' : 'service',
    service: name === POD ? undefined : name,
    port,
    path: path ?? DEFAULT_PATH,
  };
}
