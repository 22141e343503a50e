import { isIP } from 'node:net';
import { WEBHOOK_URL } from '../jobs/index.ts';
import {
  SERVICE_REFUSED_AS,
  whyServiceRefused,
  type AddressPolicy,
  type ApiServerAddress,
  type ServicePolicyOptions,
} from '../outbound/index.ts';

const NO_URL = 'url is no URL: write it like http://my-service:8080/path.';

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
  const misspelled = whyMisspelled(text, url);
  if (url === null || misspelled !== undefined) return misspelled;
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const address = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
  if (isIP(address) === 0) return whyNameRefused(host, namespace, services);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const verdict = policy.check(address, port, await apiServers());
  return verdict.allowed ? undefined : `url leads to an address that is refused (${verdict.reason}).`;
}

/** What the CRD's pattern refuses as well, said for people. */
function whyMisspelled(text: string, url: URL | null): string | undefined {
  if (/\s/.test(text)) return 'url must not contain blanks or line ends: write %20 for a blank in its path.';
  if (url === null) return NO_URL;
  if (!/^https?:\/\//.test(text)) return 'url must begin with http:// or https://, in lower case.';
  if (url.username !== '' || url.password !== '') return 'url must not contain user information.';
  return WEBHOOK_URL.test(text) ? undefined : NO_URL;
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
