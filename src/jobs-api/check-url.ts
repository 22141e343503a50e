import { isIP } from 'node:net';
import {
  SERVICE_REFUSED_AS,
  whyServiceRefused,
  type AddressPolicy,
  type ApiServerAddress,
  type ServicePolicyOptions,
} from '../outbound/index.ts';

export interface UrlCheckDeps {
  readonly policy: AddressPolicy;
  /** Whose Services may be called by name. */
  readonly services: ServicePolicyOptions;
  readonly apiServers: () => Promise<readonly ApiServerAddress[]>;
}

/**
 * What is wrong with a URL that a webhook of the namespace is to have, for its author; undefined: nothing. An address in it is checked now, whatever its notation,
 * and a name that says which namespace's Service it is; any name is checked at each connection, since it may lead elsewhere by then.
 */
export async function whyRefused(
  text: string,
  namespace: string,
  { policy, services, apiServers }: UrlCheckDeps,
): Promise<string | undefined> {
  const url = URL.parse(text);
  if (url === null) return 'url is no URL: write it like http://my-service:8080/path.';
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return 'url must begin with http:// or https://.';
  if (url.username !== '' || url.password !== '') return 'url must not contain user information.';
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const address = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
  if (isIP(address) === 0) return whyNameRefused(host, namespace, services);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const verdict = policy.check(address, port, await apiServers());
  return verdict.allowed ? undefined : `url leads to an address that is refused (${verdict.reason}).`;
}

/** A Service's short or full name; others may be names of anything. */
function whyNameRefused(host: string, namespace: string, services: ServicePolicyOptions): string | undefined {
  const isShort = !host.includes('.');
  const named = /^[^.]+\.([^.]+)\.svc(?:\.cluster\.local)?$/.exec(host)?.[1];
  const target = isShort ? namespace : named;
  const refusal = target === undefined ? undefined : whyServiceRefused(services, namespace, target);
  if (refusal === undefined) return undefined;
  return `url leads to a Service of the namespace ${target}, ${SERVICE_REFUSED_AS[refusal]}.`;
}
