import { validateHeaderName, validateHeaderValue } from 'node:http';
import { CallError } from './call-error.ts';

/** They say where the message ends and whose connection it is; who could set them could send a second request in the first one's body. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** @throws CallError `invalid-request` that names the header; never its value, which may be a secret */
export function requestHeaders(
  headers: Readonly<Record<string, string>> = {},
  userAgent: string,
): Record<string, string> {
  const checked: Record<string, string> = { 'user-agent': userAgent, accept: '*/*' };
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (OWN.has(lower)) throw invalid(name, "cannot be set: it is the connection's own");
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw invalid(name, 'has a name or a value that HTTP does not allow');
    }
    checked[lower] = value;
  }
  return checked;
}

function invalid(name: string, what: string): CallError {
  return new CallError('invalid-request', `the header "${name.slice(0, 60)}" ${what}`);
}
