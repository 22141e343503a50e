import { readFile } from 'node:fs/promises';
import { Resolver } from 'node:dns/promises';
import {
  candidateNames,
  parseHosts,
  parseResolvConf,
  searchListOf,
  serviceNamespace,
} from './resolver-files.ts';

/** `unknown`: there is no such name, or it has no address. `no-answer`: no name server said so. */
export type Resolution =
  | {
      readonly kind: 'addresses';
      readonly addresses: readonly string[];
      /** Of the Service by whose name they were found; absent: it is no name of the cluster's. */
      readonly namespace?: string;
    }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'no-answer' };

/**
 * Finds all addresses of a host name; never rejects.
 *
 * @param namespace short names of Services are looked for in it, as its own pods would; default: in the namespace of this process
 */
export type ResolveHost = (host: string, namespace?: string) => Promise<Resolution>;

export interface HostResolverOptions {
  /** `address:port` of name servers; default: those of resolv.conf. */
  readonly servers?: readonly string[];
  readonly resolvConf?: string;
  readonly hosts?: string;
  /** For one question to one server. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 1_000;
const TRIES = 3;
/** After one family has answered: the other may be dropped by a name server that knows nothing of it (RFC 8305, 3: 50 ms). */
const OTHER_FAMILY_MS = 100;

/** The name server has said that there is nothing. */
const NOTHING: readonly unknown[] = ['ENOTFOUND', 'ENODATA', 'EBADNAME'];
/** This server will not say, but it may know another name. */
const REFUSED: readonly unknown[] = ['ESERVFAIL', 'EREFUSED', 'EFORMERR', 'ENOTIMP'];

/**
 * Asks the name servers itself, as getaddrinfo would (hosts file, search domains, both families), but not on Node's thread pool: there four
 * names whose servers never answer would hold up every other name and every file of the process.
 */
export function createHostResolver(options: HostResolverOptions = {}): ResolveHost {
  let resolver: Resolver | undefined;
  const query = (): Resolver => {
    if (resolver !== undefined) return resolver;
    resolver = new Resolver({ timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS, tries: TRIES });
    if (options.servers !== undefined) resolver.setServers(options.servers);
    return resolver;
  };

  return async (host, namespace) => {
    const name = host.toLowerCase();
    const hosts = parseHosts(await readIfThere(options.hosts ?? '/etc/hosts'));
    const known = hosts.get(name.replace(/\.$/, '')) ?? localhost(name);
    if (known !== undefined) return { kind: 'addresses', addresses: known };
    const own = parseResolvConf(await readIfThere(options.resolvConf ?? '/etc/resolv.conf'));
    const search = namespace === undefined ? own : searchListOf(namespace, own);
    let isSure = true;
    for (const candidate of candidateNames(name, search)) {
      const answer = await ask(query(), candidate);
      if (answer.kind === 'no-answer') return answer;
      if (answer.kind === 'addresses') {
        const found = serviceNamespace(candidate, search);
        return { ...answer, ...(found !== undefined && { namespace: found }) };
      }
      if (answer.kind === 'refused') isSure = false;
    }
    return { kind: isSure ? 'unknown' : 'no-answer' };
  };
}

type Answer = Resolution | { readonly kind: 'refused' };

async function ask(resolver: Resolver, name: string): Promise<Answer> {
  const answers: Answer[] = [];
  await new Promise<void>((resolve) => {
    for (const query of [resolver.resolve4(name), resolver.resolve6(name)]) {
      void answerOf(query).then((answer) => {
        answers.push(answer);
        if (answers.length === 2) resolve();
        else if (answer.kind === 'addresses') setTimeout(resolve, OTHER_FAMILY_MS);
      });
    }
  });
  const addresses = answers.flatMap((answer) => (answer.kind === 'addresses' ? answer.addresses : []));
  if (addresses.length > 0) return { kind: 'addresses', addresses };
  return (
    answers.find(({ kind }) => kind === 'no-answer') ??
    answers.find(({ kind }) => kind === 'refused') ?? { kind: 'unknown' }
  );
}

async function answerOf(query: Promise<string[]>): Promise<Answer> {
  try {
    return { kind: 'addresses', addresses: await query };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (NOTHING.includes(code)) return { kind: 'unknown' };
    return { kind: REFUSED.includes(code) ? 'refused' : 'no-answer' };
  }
}

/** RFC 6761, 6.3: such a name never goes to a name server. */
function localhost(name: string): readonly string[] | undefined {
  return /(?:^|\.)localhost\.?$/.test(name) ? ['127.0.0.1', '::1'] : undefined;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return ''; // a system without the file: nothing is said there
  }
}
