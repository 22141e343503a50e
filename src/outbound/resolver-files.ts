import { isIP } from 'node:net';

/** What a name is tried with. */
export interface SearchList {
  readonly domains: readonly string[];
  /** A name with fewer dots is tried with the domains first. */
  readonly ndots: number;
}

/** glibc takes no more of it. */
const MAX_NDOTS = 15;

/** Reads the `search` and `options ndots:` of /etc/resolv.conf; the last of each counts. What is not understood is skipped. */
export function parseResolvConf(text: string): SearchList {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'search') domains = words.map(withoutDot).filter((word) => word !== '');
    if (keyword === 'domain') domains = words.slice(0, 1).map(withoutDot);
    if (keyword === 'options') {
      for (const word of words) {
        const value = /^ndots:(\d{1,3})$/.exec(word)?.[1];
        if (value !== undefined) ndots = Math.min(Number(value), MAX_NDOTS);
      }
    }
  }
  return { domains, ndots };
}

/** The full names to ask for, in their order, as glibc does. */
export function candidateNames(host: string, { domains, ndots }: SearchList): string[] {
  if (host.endsWith('.')) return [withoutDot(host)];
  const longer = domains.map((domain) => `${host}.${domain}`);
  const dots = host.split('.').length - 1;
  return dots >= ndots ? [host, ...longer] : [...longer, host];
}

/**
 * The search list as a pod of another namespace has it: its own Services come before those of our namespace, which are not looked for. Of a system that is no
 * pod's it stays as it is.
 */
export function searchListOf(namespace: string, { domains, ndots }: SearchList): SearchList {
  const domain = clusterDomain({ domains });
  const isNamespaced = (each: string) => domain !== undefined && /^[^.]+\.svc\./.test(each);
  return {
    ndots,
    domains: domains.map((each) => (isNamespaced(each) ? `${namespace}.svc.${domain}` : each)),
  };
}

/** The namespace of the Service (or of a pod of a headless one) that a full name means; undefined: it is none of the cluster's. */
export function serviceNamespace(fullName: string, search: Pick<SearchList, 'domains'>): string | undefined {
  const domain = clusterDomain(search);
  const suffix = domain === undefined ? '.svc' : `.svc.${domain}`;
  if (!fullName.endsWith(suffix)) return undefined;
  return /^(?:[^.]+\.)+([^.]+)$/.exec(fullName.slice(0, -suffix.length))?.[1];
}

/** Such as `cluster.local`: a pod's search list says `svc.cluster.local`. */
function clusterDomain({ domains }: Pick<SearchList, 'domains'>): string | undefined {
  return domains.find((domain) => domain.startsWith('svc.'))?.slice('svc.'.length);
}

/** Addresses by name, of the form of /etc/hosts. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const byName = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names.map((each) => withoutDot(each.toLowerCase()))) {
      byName.set(name, [...(byName.get(name) ?? []), address]);
    }
  }
  return byName;
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, '');
}
