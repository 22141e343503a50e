import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Problem } from '../http/index.ts';

/** How a webhook's listener knows the API server; each that is left out is not looked at. */
export interface ReviewCallers {
  /** Common names that the certificate of the client may have; the listener has verified the certificate itself. */
  readonly names?: readonly string[];
  readonly secretSegment?: SecretSegment;
}

/** The last segment of the path that the API server asks at, which nobody else can guess. */
export interface SecretSegment {
  /** In constant time. A promise where it had to be asked first whether there is a new one. Never rejects. */
  isKnown(segment: string): boolean | Promise<boolean>;
}

/** What is looked at before anything else of a request: undefined, it may go on. */
export type CallerCheck = (request: IncomingMessage) => Problem | undefined | Promise<Problem | undefined>;

/** The same words for all that is not the one path, so that they tell nothing. */
const NOTHING_HERE: Problem = { status: 404, detail: 'There is nothing here.' };
const WRONG_NAME: Problem = {
  status: 403,
  detail: 'The certificate of the client has a name that is not listed (clientNames).',
  reason: 'client-name',
};
/** So long a last segment may be a secret one; a listener that has none then takes any, so that one can be brought in without a gap. */
export const MIN_SECRET_LENGTH = 32;

/** Checks path and method, and the name in the client's certificate where names are listed. */
export function createCallerCheck(path: string, { names = [], secretSegment }: ReviewCallers): CallerCheck {
  const isNamed = createNameCheck(names);

  function checkOpenPath({ url = '', method }: IncomingMessage): Problem | undefined {
    const isOurs = url.startsWith(path) && (url.length === path.length || url[path.length] === '?');
    if (!isOurs && segmentOf(url, path).length < MIN_SECRET_LENGTH) {
      return { status: 404, detail: `Reviews are answered at ${path}.` };
    }
    if (method !== 'POST') {
      return { status: 405, detail: 'Send a review with POST.', headers: { Allow: 'POST' } };
    }
    return undefined;
  }

  function checkPath(request: IncomingMessage): Problem | undefined | Promise<Problem | undefined> {
    if (secretSegment === undefined) return checkOpenPath(request);
    const { url = '', method } = request;
    const known = secretSegment.isKnown(segmentOf(url, path));
    const judge = (isKnown: boolean) => (isKnown && method === 'POST' ? undefined : NOTHING_HERE);
    return typeof known === 'boolean' ? judge(known) : known.then(judge);
  }

  return (request) => (isNamed(request) ? checkPath(request) : WRONG_NAME);
}

/** What follows the path and a slash, without the query; empty: nothing does. */
function segmentOf(url: string, path: string): string {
  if (!url.startsWith(`${path}/`)) return '';
  const query = url.indexOf('?', path.length);
  return url.slice(path.length + 1, query === -1 ? undefined : query);
}

/** Of each connection the certificate is read once. */
function createNameCheck(names: readonly string[]): (request: IncomingMessage) => boolean {
  if (names.length === 0) return () => true;
  const checked = new WeakMap<object, boolean>();
  return ({ socket }) => {
    const before = checked.get(socket);
    if (before !== undefined) return before;
    const isNamed = socket instanceof TLSSocket && names.includes(commonNameOf(socket));
    checked.set(socket, isNamed);
    return isNamed;
  };
}

/** Empty: it has none, or several, of which nobody knows which one is meant. */
function commonNameOf(socket: TLSSocket): string {
  const certificate: { readonly subject?: { readonly CN?: unknown } } = socket.getPeerCertificate();
  const name = certificate.subject?.CN;
  return typeof name === 'string' ? name : '';
}
