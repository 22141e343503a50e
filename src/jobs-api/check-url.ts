import { isIP } from 'node:net';
import type { AddressPolicy, ApiServerAddress } from '../outbound/index.ts';

export interface UrlCheckDeps {
  readonly policy: AddressPolicy;
  readonly apiServers: () => Promise<readonly ApiServerAddress[]>;
}

/**
 * What is wrong with a URL that a webhook is to have, for its author; undefined: nothing. An address in it is checked now, whatever its notation; a name is
 * checked at each connection, since it may lead elsewhere by then.
 */
export async function whyRefused(
  text: string,
  { policy, apiServers }: UrlCheckDeps,
): Promise<string | undefined> {
  const url = URL.parse(text);
  if (url === null) return 'url is no URL: write it like http://my-service:8080/path.';
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return 'url must begin with http:// or https://.';
  if (url.username !== '' || url.password !== '') return 'url must not contain user information.';
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const address = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
  if (isIP(address) === 0) return undefined;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const verdict = policy.check(address, port, await apiServers());
  return verdict.allowed ? undefined : `url leads to an address that is refused (${verdict.reason}).`;
}
